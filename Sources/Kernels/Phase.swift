internal import Glibc

/// What a thread of a team spends its time on.
public enum Phase: Int, CaseIterable, Sendable {
  /// Weights from the checkpoint's order into operand tiles.
  case packing
  case products
  case attention
  case norms
  /// SiLU and the gate, biases, rotation, residual sums, and rows into operand tiles.
  case activation
  /// What observers make of the taps.
  case observers
  /// What is none of these, such as the loss.
  case other
}

/// Seconds per phase, summed over a team's threads.
public struct PhaseSeconds: Sendable {
  /// One per ``Phase``.
  fileprivate var nanoseconds: [UInt64] = Array(repeating: 0, count: Phase.allCases.count)

  public subscript(phase: Phase) -> Double { Double(nanoseconds[phase.rawValue]) / 1e9 }

  public static func + (a: PhaseSeconds, b: PhaseSeconds) -> PhaseSeconds {
    var sum = PhaseSeconds()
    for index in sum.nanoseconds.indices {
      sum.nanoseconds[index] = a.nanoseconds[index] + b.nanoseconds[index]
    }
    return sum
  }

  /// Seconds of work in all phases.
  public var busy: Double { Double(nanoseconds.reduce(0, +)) / 1e9 }
}

/// Each thread's time by phase. A thread notes its own; who reads it waits until all are done.
final class PhaseClock: @unchecked Sendable {
  // Unchecked: a thread touches its own slots alone while a job runs.

  private struct Slots {
    var current = 0
    var since: UInt64 = 0
    var nanoseconds: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (
      0, 0, 0, 0, 0, 0, 0
    )
    // To 128 bytes, so that no two threads write to one cache line.
    var padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
  }

  private let slots: UnsafeMutableBufferPointer<Slots>

  init(threadCount: Int) {
    slots = .allocate(capacity: threadCount)
    slots.initialize(repeating: Slots())
  }

  deinit { slots.deallocate() }

  func start(_ phase: Phase, thread: Int) {
    slots[thread].current = phase.rawValue
    slots[thread].since = PhaseClock.now
  }

  /// Counts what has passed for the phase before.
  func enter(_ phase: Phase, thread: Int) {
    let now = PhaseClock.now
    let elapsed = now - slots[thread].since
    withUnsafeMutableBytes(of: &slots[thread].nanoseconds) {
      $0.assumingMemoryBound(to: UInt64.self)[slots[thread].current] += elapsed
    }
    slots[thread].current = phase.rawValue
    slots[thread].since = now
  }

  var seconds: PhaseSeconds {
    var sum = PhaseSeconds()
    for index in slots.indices {
      withUnsafeBytes(of: slots[index].nanoseconds) { values in
        for (phase, value) in values.assumingMemoryBound(to: UInt64.self).enumerated() {
          sum.nanoseconds[phase] += value
        }
      }
    }
    return sum
  }

  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
