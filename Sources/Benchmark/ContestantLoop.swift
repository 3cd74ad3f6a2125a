internal import Coordination
internal import Foundation
internal import Host
internal import SystemPackage

/// The pipe to whoever lets contestants take turns (`deploy/bench/contestants.py`).
///
/// A contestant that is ready writes one line of JSON. A line `turn SECONDS` makes it work until
/// so many seconds have passed, one unit at least, and write another line. It ends with its input.
public struct ContestantLoop {
  private struct Ready: Encodable {
    let details: [String: String]
  }

  private struct Turn: Encodable {
    var units = 0
    var tokens = 0
    var productOperations = 0.0
    var seconds = 0.0
    var varianceSum: Double?
    var peakBytes: Int?
    var phaseSeconds: [String: Double]?
  }

  private var contestant: any Contestant

  public init(_ contestant: any Contestant) { self.contestant = contestant }

  /// - Throws: ``BenchmarkError/unknownCommand(_:)``, and what stops the contestant.
  public mutating func run() throws {
    try ContestantLoop.print(Ready(details: contestant.details))
    while let line = readLine() {
      let words = line.split(separator: " ")
      guard words.count == 2, words[0] == "turn", let seconds = Double(words[1]) else {
        throw BenchmarkError.unknownCommand(line)
      }
      try ContestantLoop.print(try takeTurn(seconds: seconds))
    }
  }

  private mutating func takeTurn(seconds: Double) throws -> Turn {
    var turn = Turn()
    _ = contestant.takePhaseSeconds()
    let start = Instant.now
    repeat {
      let work = try contestant.runUnit()
      turn.units += 1
      turn.tokens += work.tokenCount
      turn.productOperations += work.productOperations
      turn.varianceSum = work.varianceSum
      turn.seconds = (Instant.now - start).seconds
    } while turn.seconds < seconds
    turn.peakBytes = contestant.peakBytes
    turn.phaseSeconds = contestant.takePhaseSeconds()
    return turn
  }

  static func print(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    try FileDescriptor.standardOutput.writeAll(try encoder.encode(value) + [UInt8(ascii: "\n")])
  }
}
