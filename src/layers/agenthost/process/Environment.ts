/** Variables of a process, or those to choose from. */
export type Environment = Readonly<Record<string, string>>

const common =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|XDG_(CACHE|CONFIG|DATA|STATE)_HOME|SSH_AUTH_SOCK)$/
const git =
  /^GIT_((AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)|SSH|SSH_COMMAND|SSL_(CAINFO|CAPATH))$/
const network =
  /^((HTTPS?|ALL|NO)_PROXY|(https?|all|no)_proxy|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE)$/

// The fleet's own settings and tokens; and what binds git to one repository (`git rev-parse --local-env-vars`): every
// agent would work on that one.
const never =
  /^(FLEET_MCP_.*|CODER_\w*TOKEN|GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|PREFIX|SHALLOW_FILE|GRAFT_FILE))$/

/** What agents are told of their environment, in words for people. */
export const passedOn =
  "programs, home, locale, terminal, XDG directories, SSH agent, git identity and configuration, proxies and CA certificates"

/**
 * The variables that an agent and git see: one list for both, so that git tells the same to the fleet, to an agent and
 * to the user. `more` names further ones; tokens and settings of the fleet are not passed even then.
 */
export const agentEnvironment = (environment: Environment, more: ReadonlyArray<string> = []): Environment => {
  const named = new Set(more)
  const passes = (name: string) =>
    !never.test(name) && (common.test(name) || git.test(name) || network.test(name) || named.has(name))
  return Object.fromEntries(Object.entries(environment).filter(([name]) => passes(name)))
}

/** Of the names asked for: those that are never passed on. */
export const refusedNames = (more: ReadonlyArray<string>): ReadonlyArray<string> =>
  more.filter((name) => never.test(name))
