import { Either, Order } from "effect"
import type { CoderError } from "../../../schemas/coder/CoderError.ts"
import type { Workspace } from "../../../schemas/coder/Workspaces.ts"
import { contains, nameOrOwnerAndName, parseSearch, type Search } from "./SearchQuery.ts"

const keys = ["owner", "name", "template", "organization", "status", "id", "has-ai-task"] as const

type Found = typeof Workspace.Type

const matches =
  (search: Search<(typeof keys)[number]>, username: string) =>
  (workspace: Found): boolean => {
    const is = (value: string, wanted: string | undefined) => wanted === undefined || value.toLowerCase() === wanted
    return (
      is(workspace.owner_name, search.get("owner") === "me" ? username : search.get("owner")) &&
      contains(workspace.name, search.get("name") ?? "") &&
      is(workspace.template_name, search.get("template")) &&
      is(workspace.organization_name, search.get("organization")) &&
      is(workspace.latest_build.status, search.get("status")) &&
      (search.get("id")?.split(",").includes(workspace.id) ?? true) &&
      search.get("has-ai-task") !== "true"
    )
  }

/** Running ones first, then by name. */
const order = Order.combine(
  Order.mapInput(Order.boolean, ({ latest_build }: Found) => latest_build.status !== "running"),
  Order.mapInput(Order.string, ({ name }: Found) => name.toLowerCase())
)

/** The workspaces that a query of the list asks for, in Coder's order. `username` is who `me` is. */
export const searchWorkspaces = (
  workspaces: ReadonlyArray<Found>,
  query: string,
  username: string
): Either.Either<ReadonlyArray<Found>, CoderError> =>
  Either.map(parseSearch("workspace", query, keys, nameOrOwnerAndName), (search) =>
    workspaces.filter(matches(search, username)).toSorted(order)
  )
