internal import Foundation
internal import Logging

/// Where a command says things: results on standard output, all else on standard error.
public struct Console: Sendable {
  let isJSON: Bool
  let isQuiet: Bool
  let log: Logger

  private let screen: Screen

  /// Columns of the terminal on standard output; nil where there is none, and lines are as long as they
  /// are.
  let width: Int?

  /// - Parameters:
  ///   - isQuiet: nothing but warnings and errors is logged, and no result is shown that stands in files.
  ///   - logsJSON: log lines are JSON objects, one per line.
  public init(isJSON: Bool, isQuiet: Bool, isVerbose: Bool, logsJSON: Bool = false) {
    self.isJSON = isJSON
    self.isQuiet = isQuiet
    width = TerminalWidth.ofStandardOutput
    let screen = Screen(isTerminal: StandardError.isTerminal && !logsJSON)
    self.screen = screen
    var log = Logger(label: "flap") { _ -> any LogHandler in
      logsJSON ? JSONLogHandler() : StandardErrorHandler(screen: screen)
    }
    log.logLevel = isVerbose ? .debug : isQuiet ? .warning : .info
    self.log = log
  }

  /// The result of a command: JSON where that was asked for, else a table for people.
  ///
  /// - Parameter isInFiles: whether the command has written it, so that who wants quiet needs none of it.
  func show<Result: Encodable>(
    _ result: Result, isInFiles: Bool = false, table: @autoclosure () -> String
  ) throws {
    if isJSON {
      print(String(decoding: try Console.encode(result, pretty: false), as: UTF8.self))
    } else if !isInFiles || !isQuiet {
      print(Format.wrapped(table(), width))
    }
  }

  /// An error that ends this program, as the parser of its arguments writes others.
  public static func write(error: any Error) { StandardError.write("Error: \(error)\n") }

  func meter(_ label: String, unit: String, total: Double) -> ProgressMeter {
    ProgressMeter(
      label: label, unit: unit, total: total, screen: screen, isSilent: isQuiet, log: log)
  }

  func transferMeter(_ label: String, isSilent: Bool = false) -> TransferMeter {
    TransferMeter(label: label, screen: screen, isSilent: isSilent || isQuiet, log: log)
  }

  /// JSON with sorted keys, so that equal results are equal bytes.
  static func encode<Value: Encodable>(_ value: Value, pretty: Bool) throws -> Data {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting =
      pretty
      ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
      : [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(value)
  }
}

/// One line per message on standard error; the level is named where it is not the usual one.
private struct StandardErrorHandler: LogHandler {
  let screen: Screen
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let prefix = event.level >= .warning ? "\(event.level): " : ""
    screen.write("\(prefix)\(event.message)")
  }
}
