internal import Host
internal import Launching
internal import Logging

/// Carries consignments to their hosts, and shows how far they are.
struct Transfer {
  private let console: Console
  private let interruption: Interruption

  init(_ console: Console, _ interruption: Interruption) {
    self.console = console
    self.interruption = interruption
  }

  /// - Parameter name: what is copied; nil: nothing that people need to see.
  /// - Throws: ``ClusterError/interrupted(signal:)``, or ``LaunchError`` when there is no ssh here.
  func carry(_ consignments: [Consignment], as name: String?) throws -> [DeliveryOutcome] {
    guard !consignments.isEmpty else { return [] }
    var deliveries = Deliveries(consignments)
    var meter = console.transferMeter(name ?? "", isSilent: name == nil)
    while !deliveries.isOver {
      try interruption.check()
      try deliveries.advance(waiting: .milliseconds(50))
      meter.show(
        sent: deliveries.sentByteCount, skipped: deliveries.skippedByteCount,
        of: deliveries.byteCount)
    }
    let outcomes = deliveries.outcomes.compactMap(\.self)
    for case (let consignment, .done(let path, let wasThere, _)) in zip(consignments, outcomes) {
      console.log.debug("\(consignment.label): \(path) \(wasThere ? "was there" : "copied")")
    }
    meter.finish(
      sent: deliveries.sentByteCount, skipped: deliveries.skippedByteCount,
      hostCount: Set(consignments.map(\.label)).count)
    return outcomes
  }
}
