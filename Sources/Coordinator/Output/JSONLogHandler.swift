internal import Foundation
internal import Logging

/// One JSON object per message on standard error: `time` (RFC 3339), `level`, `message`.
struct JSONLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  private struct Line: Encodable {
    let time: String
    let level: String
    let message: String
  }

  func log(event: LogEvent) {
    let line = Line(
      time: Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
      level: event.level.rawValue, message: "\(event.message)")
    guard let bytes = try? Console.encode(line, pretty: false) else { return }
    StandardError.write(String(decoding: bytes, as: UTF8.self) + "\n")
  }
}
