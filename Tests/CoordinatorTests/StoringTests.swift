import Checkpoint
import Coordination
import FlapTestKit
import Foundation
import SystemPackage
import Testing

/// A disk that takes its time is no reason to leave workers without an answer.
struct StoringTests {
  @Test("heartbeats are answered at once while results are stored on a slow disk")
  func slowDisk() throws {
    let folder = try TemporaryFolder()
    let coordinator = try WaitingCoordinator(
      environment: ["LD_PRELOAD": try SlowDisk.library(in: folder)])
    let honest = try Programs.worker(["--connect-file", coordinator.ticketPath, "--threads", "1"])
    defer { honest.terminate() }
    let watcher = try HostileWorker(coordinator.ticket)
    let model = try Checkpoint(directory: FilePath(Programs.model)).digest
    try watcher.send(HostileMessages.hello(model: model))
    while true { if case .welcome = try watcher.next() { break } }
    var slowest = Duration.zero
    let end = ContinuousClock.now + .seconds(4)
    while ContinuousClock.now < end {
      let start = ContinuousClock.now
      let beat = Heartbeat(
        attempt: nil, completedSteps: 0, totalSteps: 0, residentBytes: 0, peakResidentBytes: 0)
      try watcher.send(.heartbeat(beat))
      while try watcher.next() != .leaseRenewed {}
      slowest = max(slowest, .now - start)
      usleep(20_000)
    }
    #expect(slowest < .milliseconds(500))
  }
}

/// A library that makes every fsync(2) of a program take a second.
private enum SlowDisk {
  private static let source = """
    #include <unistd.h>
    int fsync(int descriptor) { (void)descriptor; sleep(1); return 0; }
    int fdatasync(int descriptor) { return fsync(descriptor); }
    """

  static func library(in folder: TemporaryFolder) throws -> String {
    let (code, library) = (folder.path("slow.c"), folder.path("slow.so"))
    try source.write(toFile: code, atomically: false, encoding: .utf8)
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments = ["clang", "-shared", "-fPIC", "-o", library, code]
    try compiler.run()
    compiler.waitUntilExit()
    try #require(compiler.terminationStatus == 0)
    return library
  }
}
