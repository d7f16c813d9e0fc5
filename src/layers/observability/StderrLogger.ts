import { Config, Effect, Layer, Logger, LogLevel } from "effect"

const levels: Readonly<Record<string, LogLevel.LogLevel>> = {
  TRACE: LogLevel.Trace,
  DEBUG: LogLevel.Debug,
  INFO: LogLevel.Info,
  WARNING: LogLevel.Warning,
  ERROR: LogLevel.Error
}

// One object, so that providing the layer twice writes each line once.
const logger = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

/** Logs to stderr, since stdout belongs to MCP. Reads `LOG_LEVEL`: `TRACE`, `DEBUG`, `INFO` (default), `WARNING`, `ERROR`. */
export const layer: Layer.Layer<never> = Layer.unwrapEffect(
  Effect.gen(function* () {
    const wanted = (yield* Effect.orElseSucceed(Config.string("LOG_LEVEL"), () => "")).trim().toUpperCase()
    if (wanted === "") return logger
    const level = levels[wanted]
    if (level !== undefined) return Layer.merge(logger, Logger.minimumLogLevel(level))
    const warning = Effect.logWarning(`LOG_LEVEL is none of ${Object.keys(levels).join(", ")}; logging from INFO`)
    return Layer.provideMerge(Layer.effectDiscard(warning), logger)
  })
)
