import { Clock, Context, Deferred, Duration, Effect, Layer, Option, Scope } from "effect"
import { agentEnvironment, type Environment } from "./Environment.ts"
import { askLoginShell, loginOf, LoginShellLimits } from "./LoginShell.ts"
import { type Caller, TurnCaller } from "./TurnCaller.ts"

/** An environment to run something in. */
export interface Settled {
  readonly environment: Environment
  /** Why it is not all that the user's login shell would have it be, if so; it names variables, and no value. */
  readonly problem: string | undefined
}

/** Set to nothing, these say nothing: a desktop program may have none of them. */
const never = new Set(["PATH", "HOME", "USER", "LOGNAME", "SHELL"])

/** What a caller has set, and may be seen. */
export const variablesOf = ({ agentEnvironment: more, environment }: Caller): Environment =>
  Object.fromEntries(
    Object.entries(agentEnvironment(environment, more)).filter(([name, value]) => value !== "" || !never.has(name))
  )

/** The folders of the one, then those that only the other has. */
const joinedPath = (one: string | undefined, other: string | undefined): Environment => {
  const folders = [one, other].flatMap((path) => path?.split(":") ?? [])
  return folders.length === 0 ? {} : { PATH: [...new Set(folders)].join(":") }
}

const over = (below: Environment, caller: Caller): Environment => {
  const own = variablesOf(caller)
  return { ...below, ...own, ...joinedPath(own["PATH"], below["PATH"]) }
}

/** The environment that git and agents see: that of whoever has something done (`TurnCaller`), or what is beneath it. */
export class Surroundings extends Context.Tag("fleet-mcp/layers/agenthost/process/Surroundings")<
  Surroundings,
  {
    /** As far as it is known by now: for looks, which are not to wait. */
    readonly known: Effect.Effect<Environment>
    /** For what is run: the login shell, where it counts, has told its environment, or has had its time. */
    readonly settled: Effect.Effect<Settled>
  }
>() {
  /** `environment` is what there is to choose from; `more` names variables that are passed on besides the usual ones. */
  static readonly fixed = (environment: Environment, more: ReadonlyArray<string> = []): Surroundings["Type"] => {
    const beneath = agentEnvironment(environment, more)
    const known = Effect.map(TurnCaller, (caller) =>
      Option.match(caller, { onNone: () => beneath, onSome: (given) => over({}, given) })
    )
    return { known, settled: Effect.map(known, (seen) => ({ environment: seen, problem: undefined })) }
  }

  static readonly layer = (environment: Environment, more: ReadonlyArray<string> = []): Layer.Layer<Surroundings> =>
    Layer.succeed(this, this.fixed(environment, more))

  /**
   * The environment of the user's login shell, as far as it may be seen, and over it that of the caller; the folders of
   * both PATHs are looked through, the caller's first. The shell is asked when something first wants to know, once; one
   * that did not tell is asked again later, and nobody waits for that. Until it has told, there are PATH, HOME and the
   * user's name. `given`, the environment of this process, only says which shell that is, and whose.
   */
  static readonly layerLoginShell = (given: Environment): Layer.Layer<Surroundings> =>
    Layer.scoped(
      this,
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        const limits = yield* LoginShellLimits
        const login = loginOf(given)
        const answered = yield* Deferred.make<void>()
        let beneath = agentEnvironment(login.environment)
        let problem: string | undefined
        /** When it may be asked (ms); never again once it has told. */
        let next = 0

        // Its process may end a little later than it has told.
        const asked = Scope.extend(askLoginShell(login), scope).pipe(
          Effect.matchEffect({
            onSuccess: (told) => {
              beneath = agentEnvironment(told)
              problem = undefined
              return Effect.logInfo("Agents see the environment of the login shell", {
                shell: login.shell,
                variables: Object.keys(beneath).toSorted().join(", ")
              })
            },
            onFailure: ({ message }) =>
              Effect.gen(function* () {
                const told = `${message} Without it there are ${Object.keys(beneath).join(", ")}, and what the client has set.`
                problem = told
                next = (yield* Clock.currentTimeMillis) + Duration.toMillis(limits.again)
                yield* Effect.logWarning(told)
              })
          }),
          Effect.ensuring(Deferred.succeed(answered, undefined)),
          Effect.provideService(LoginShellLimits, limits),
          Effect.interruptible
        )

        const ask = Effect.flatMap(Clock.currentTimeMillis, (now) => {
          if (now < next) return Effect.void
          next = Number.POSITIVE_INFINITY
          return Effect.forkIn(asked, scope)
        })

        const seen = Effect.map(TurnCaller, (caller) =>
          Option.match(caller, { onNone: () => beneath, onSome: (it) => over(beneath, it) })
        )

        return {
          known: Effect.zipRight(ask, seen),
          settled: ask.pipe(
            Effect.zipRight(Deferred.await(answered)),
            Effect.zipRight(seen),
            Effect.map((environment) => ({ environment, problem }))
          )
        }
      })
    )
}
