import FlapTestKit
import Foundation
import Testing

/// Going on with a run that did not end.
@Suite(.serialized)
struct ResumeTests {
  @Test("what was committed is not computed again; another run's terms are refused")
  func resumed() throws {
    let folder = try TemporaryFolder()
    let arguments = [
      "--model", Programs.model, "--calibration", Programs.calibration, "--output",
      folder.path("out"), "--local-workers", "1", "--threads", "1", "--leaves-per-unit", "1",
      "--compute", "f32", "--tokens-per-leaf", "128", "--ratio", "0.2",
    ]
    let killed = try Programs.coordinator(arguments) { process in
      // Until the first results are on disk.
      let norms = folder.path("out/flap/journal/weight-norms-0")
      let node = folder.path("out/flap/journal/moments-3-0")
      while process.isRunning, !FileManager.default.fileExists(atPath: norms),
        !FileManager.default.fileExists(atPath: node)
      { usleep(1000) }
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(killed.exitCode != 0)

    let again = try Programs.coordinator(arguments)
    #expect(again.exitCode != 0)
    #expect(again.standardError.contains("holds an unfinished run: continue with --resume"))

    let other = try Programs.coordinator(
      arguments.dropLast() + ["0.3", "--resume", "--samples", "100"])
    #expect(other.exitCode != 0)
    #expect(other.standardError.contains("--samples was 256, is 100"))
    #expect(other.standardError.contains("--ratio was 0.2, is 0.3"))

    let resumed = try Programs.coordinator(arguments + ["--resume"])
    #expect(resumed.exitCode == 0, "\(resumed.standardError)")
    #expect(resumed.standardError.contains("results reused"))
    // 256 samples of 128 tokens are 32768; some of them were counted before.
    #expect(!resumed.standardError.contains("calibration: 32768 tokens"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("out/flap/journal")))

    // A batch system that starts the command once more does no harm.
    let finished = try Programs.coordinator(arguments + ["--resume"])
    #expect(finished.exitCode == 0)
    #expect(finished.standardError.contains("is complete: there is nothing to resume"))
    let changed = try Programs.coordinator(arguments.dropLast() + ["0.3", "--resume"])
    #expect(changed.exitCode != 0)
    #expect(changed.standardError.contains("--ratio was 0.2, is 0.3"))
  }

  @Test("--resume begins anew where there is nothing to go on with")
  func nothingToResume() throws {
    let folder = try TemporaryFolder()
    let outcome = try Programs.coordinator([
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--output",
      folder.path("statistics"), "--samples", "16", "--resume",
    ])
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["statistics"])
  }
}
