import FlapTestKit
import Launching
import Testing

/// Whatever the text, parsing gives a value or throws. FLAP_FUZZ_COUNT sets how many inputs each
/// test tries; the seeds are fixed, so a failure comes again.
struct FuzzTests {
  private static let hostPieces = [
    "node", "a", "B", "1", "02", "9999", "70000", "[", "]", "-", ",", ":", ":22", "[1-3]",
    "[01-12]",
    "[fe80::1]", "%eth0", "@", "bob@", ".", "..", "_", "\n", "\r\n", " ", "\t", "#", "\"", "=",
    " lanes=", " threads=2", " memory=", "4GB", "GiB", " worker=/w", " model=\"/a b\"", " env.A=1",
    " numa=on", " numa=",
    " env.", "\u{0}", "é", "\u{202E}", "\u{FEFF}", "0", "18446744073709551616",
  ]
  private static let listPieces = [
    "node", "gpu1", "[", "]", "-", ",", "01", "3", "7", "999", "99999999", "[1-3]", "[01-03,7]",
    ",x",
    " ", "é", "\u{0}", "1234567890123",
  ]

  private static func text(_ pieces: [String], _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = (0..<Int.random(in: 0...14, using: &generator)).flatMap { _ in
      Array(pieces.randomElement(using: &generator)!.utf8)
    }
    if generator.chance(0.2), !bytes.isEmpty {
      let index = Int.random(in: 0..<bytes.count, using: &generator)
      bytes[index] = UInt8.random(in: 0...255, using: &generator)
    }
    return bytes
  }

  @Test func hostsFiles() {
    var generator = SeededGenerator(seed: 1)
    var takenCount = 0
    for _ in 0..<FuzzCount.perTest {
      let bytes = Self.text(Self.hostPieces, &generator)
      do throws(HostsFileError) {
        let file = try HostsFile(bytes: bytes)
        takenCount += 1
        check(file)
      } catch {
        #expect(error.description.utf8.count < 600)
      }
    }
    #expect(takenCount > FuzzCount.perTest / 100)
  }

  /// What was taken holds what the rest of the program relies on.
  private func check(_ file: HostsFile) {
    let areGood = file.hosts.allSatisfy { host in
      !host.host.isEmpty && !host.host.hasPrefix("-") && !host.label.contains("/")
        && host.user?.hasPrefix("-") != true && host.lanes ?? 1 > 0 && host.line > 0
        && host.workerProgram?.hasPrefix("/") != false
        && host.modelDirectory?.hasPrefix("/") != false
    }
    #expect(areGood)
    #expect((1...HostsFile.hostLimit).contains(file.hosts.count))
    #expect(Set(file.hosts.map(\.label)).count == file.hosts.count)
  }

  @Test func randomHostsFiles() {
    var generator = SeededGenerator(seed: 2)
    for _ in 0..<FuzzCount.perTest {
      let count = Int.random(in: 0...60, using: &generator)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      _ = try? HostsFile(bytes: bytes)
      _ = try? HostsFile(text: String(decoding: bytes, as: UTF8.self))
    }
  }

  @Test func nodeLists() {
    var generator = SeededGenerator(seed: 3)
    var takenCount = 0
    for _ in 0..<FuzzCount.perTest {
      let text = String(decoding: Self.text(Self.listPieces, &generator), as: UTF8.self)
      guard let list = try? SlurmNodeList(text) else { continue }
      takenCount += 1
      #expect((1...HostsFile.hostLimit).contains(list.names.count))
    }
    #expect(takenCount > FuzzCount.perTest / 100)
  }

  @Test func reports() {
    var generator = SeededGenerator(seed: 4)
    let original = Array(PreflightReportTests.report(endpointError: "refused").line.utf8)
    var takenCount = 0
    for _ in 0..<FuzzCount.perTest {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        case 2: bytes.insert(original.randomElement(using: &generator)!, at: index)
        default: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        }
      }
      let line = String(decoding: bytes, as: UTF8.self)
      guard let report = PreflightReport(outputLines: [line]) else { continue }
      takenCount += 1
      #expect(PreflightReport(outputLines: [report.line]) == report)
    }
    #expect(takenCount > FuzzCount.perTest / 20)
  }
}
