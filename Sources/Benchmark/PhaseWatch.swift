internal import Coordination
internal import Host
internal import Kernels
internal import Transformer

/// What the threads of a model spend their time on.
struct PhaseWatch {
  private let model: Llama
  private var before: PhaseSeconds
  private var start: Instant

  init(_ model: Llama) {
    self.model = model
    before = model.phaseSeconds
    start = .now
  }

  /// Seconds per phase since the last call, summed over the threads. What no phase accounts for
  /// is idle: threads that wait, and work of the caller alone.
  mutating func take() -> [String: Double] {
    let now = Instant.now
    let after = model.phaseSeconds
    var seconds: [String: Double] = [:]
    for phase in Phase.allCases { seconds["\(phase)"] = after[phase] - before[phase] }
    let all = Double(model.split.threadCount) * (now - start).seconds
    seconds["idle"] = max(0, all - (after.busy - before.busy))
    before = after
    start = now
    return seconds
  }
}
