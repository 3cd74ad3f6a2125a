import Coordination
import FlapCore
import FlapTestKit

extension CoordinatorMachineTests {
  var first: Assignment {
    Assignment(attempt: TaskAttempt(task: task, attempt: 1), work: .numbered(0), serial: 1)
  }

  /// A machine with one task that `worker` has.
  func running(_ settings: CoordinatorSettings = .forTests) -> CoordinatorMachine {
    var machine = CoordinatorMachine(settings: settings)
    _ = machine.handle(.submit([.init(id: task, work: .numbered(0))]), at: .start)
    _ = machine.handle(.received(.hello(.forTests), from: worker), at: .start)
    return machine
  }

  func deliver(_ bytes: [UInt8], to machine: inout CoordinatorMachine)
    -> [CoordinatorMachine.Effect]
  {
    finish(first.attempt, by: worker, &machine, .start, bytes: bytes)
  }

  /// The worker sends a whole report of an attempt.
  func finish(
    _ attempt: TaskAttempt, by id: WorkerID, _ machine: inout CoordinatorMachine, _ now: Instant,
    bytes: [UInt8] = [1, 2, 3]
  ) -> [CoordinatorMachine.Effect] {
    let begin = ReportBegin(
      attempt: attempt, byteCount: bytes.count, digest: VirtualWork.digest(of: bytes))
    _ = machine.handle(.received(.reportBegin(begin), from: id), at: now)
    for offset in stride(from: 0, to: bytes.count, by: machine.settings.chunkBytes) {
      let part = Array(bytes[offset..<min(offset + machine.settings.chunkBytes, bytes.count)])
      let chunk = ReportChunk(attempt: attempt, offset: offset, bytes: part)
      _ = machine.handle(.received(.reportChunk(chunk), from: id), at: now)
    }
    return machine.handle(.received(.reportEnd(attempt), from: id), at: now)
  }

  func assignments(_ effects: [CoordinatorMachine.Effect]) -> [Assignment] {
    effects.compactMap {
      if case .send(.assign(let assignment), _) = $0 { assignment } else { nil }
    }
  }

  func rejection(_ effects: [CoordinatorMachine.Effect]) -> Rejection? {
    for case .send(.reject(let rejection), _) in effects { return rejection }
    return nil
  }

  func failure(_ effects: [CoordinatorMachine.Effect]) -> RunFailure? {
    for case .failed(let failure) in effects { return failure }
    return nil
  }
}

extension Instant {
  static let start = Instant(nanoseconds: 0)
}

extension CoordinatorSettings {
  /// The limits that users get, over small chunks.
  static var forTests: CoordinatorSettings {
    var settings = CoordinatorSettings(
      welcome: VirtualCluster.settings.welcome, modelDigest: VirtualCluster.settings.modelDigest,
      maximumReportBytes: 1000)
    settings.chunkBytes = 16
    return settings
  }
}

extension Hello {
  /// Of another process each time.
  static var forTests: Hello { forTests(host: "host") }

  static func forTests(
    host: String, instance: UInt64 = .random(in: .min ... .max), kernels: String = "k"
  ) -> Hello {
    Hello(
      softwareVersion: "1", host: host, processID: 1, instance: instance,
      modelDigest: VirtualWork.digest(of: [1]), kernelFingerprint: kernels, coreCount: 1,
      threadCount: 1, memoryBytes: 1 << 30)
  }
}

extension Heartbeat {
  static let idle = Heartbeat(
    attempt: nil, completedSteps: 0, totalSteps: 0, residentBytes: 0, peakResidentBytes: 0)
}
