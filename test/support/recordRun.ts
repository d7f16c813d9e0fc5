import { FiberRef, Logger, LogLevel, Tracer } from "effect"
import { liveServices } from "effect/DefaultServices"
import { afterAll } from "vitest"
import { makeRecorder } from "./Recorder.ts"
import { keep, keeping } from "./Secrets.ts"

// In a whole run all is kept that this process says to a tracer or, at any level, to a logger: who brings no tracer has
// this one, and the logger that no test removes listens for it. What is printed stays as it is.

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
  const printer = { ...Logger.defaultLogger }
  Object.assign(Logger.defaultLogger, {
    log: (options: Logger.Logger.Options<unknown>) => {
      if (LogLevel.greaterThanEqual(options.logLevel, LogLevel.Info)) printer.log(options)
    }
  })
  Reflect.set(FiberRef.currentMinimumLogLevel, "initial", LogLevel.All)
  liveServices.unsafeMap.set(Tracer.Tracer.key, tracer)
  afterAll(() => keep("in-process", said.join("\n")))
}
