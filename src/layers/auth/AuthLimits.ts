import { Context, Duration } from "effect"

/** What tokens, their files and the refusals of wrong ones are bounded by. Read once, when a layer is made. */
export class AuthLimits extends Context.Reference<AuthLimits>()("fleet-mcp/layers/auth/AuthLimits", {
  defaultValue: () => ({
    /** How often the token files are looked at: a rotation or revocation counts after this time. */
    watch: Duration.seconds(1),
    /** The contents of a token file (bytes). */
    file: 4096,
    /** Further tokens in all. */
    named: 100,
    /** The longest life that a further token can be given. */
    life: Duration.days(3650),
    /** A longer `Authorization` header is refused unread (characters). */
    header: 4096,
    /** Between two log lines about refusals; each says how many there were. */
    refusalLog: Duration.seconds(10),
    /** A token from the environment that is shorter draws a warning (characters). */
    weak: 32
  })
}) {}
