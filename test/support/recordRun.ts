import { Logger, Tracer } from "effect"
import { liveServices } from "effect/DefaultServices"
import { afterAll } from "vitest"
import { makeRecorder } from "./Recorder.ts"
import { keep, keeping } from "./Secrets.ts"

// In a whole run all is kept that this process says to a tracer or a logger: who brings no tracer has this one, and the
// logger that no test removes listens for it.

if (keeping) {
  const said: Array<string> = []
  const { logger, tracer } = makeRecorder((text) => said.push(text))
  const before = { ...Logger.tracerLogger }
  Object.assign(Logger.tracerLogger, {
    log: (options: Logger.Logger.Options<unknown>) => {
      logger.log(options)
      before.log(options)
    }
  })
  liveServices.unsafeMap.set(Tracer.Tracer.key, tracer)
  afterAll(() => keep("in-process", said.join("\n")))
}
