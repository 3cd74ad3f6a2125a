public import Coordination
public import Foundation

extension RunEvent {
  /// What the coordinator's state machine tells.
  public init(_ event: LogEvent, at time: Date) {
    switch event {
    case .workerJoined(let id, let host, let processID):
      self.init(.workerJoined, at: time)
      (worker, self.host, process) = ("\(id)", host, processID)
    case .workerRefused(let id, let host, let reason):
      self.init(.workerRefused, at: time)
      (worker, self.host, self.reason) = ("\(id)", host, reason)
    case .workerLost(let id, let host, let reason, _):
      self.init(.workerLost, at: time)
      (worker, self.host, self.reason) = ("\(id)", host, reason)
    case .workerLeft(let id, let host, let reason, _):
      self.init(.workerLeft, at: time)
      (worker, self.host, self.reason) = ("\(id)", host, reason)
    case .hostExcluded(let exclusion):
      self.init(.hostLeftOut, at: time)
      (host, reason) = (exclusion.host, "\(exclusion)")
    case .taskAssigned(_, let id, let host):
      self.init(.taskGiven, at: time)
      (worker, self.host) = ("\(id)", host)
    case .speculation(_, let earlier):
      self.init(.taskTriedTwice, at: time)
      other = "\(earlier)"
    case .taskFailed(_, let host, let reason):
      self.init(.taskFailed, at: time)
      (self.host, self.reason) = (host, reason)
    case .taskRequeued: self.init(.taskRequeued, at: time)
    case .taskStored: self.init(.taskStored, at: time)
    case .taskSuperseded(_, let other):
      self.init(.taskSuperseded, at: time)
      self.other = "\(other)"
    case .resultsDiffer(_, _, _, let other):
      self.init(.resultsDiffer, at: time)
      (self.other, reason) = ("\(other)", "\(event)")
    default:
      self.init(.warning, at: time)
      reason = "\(event)"
    }
    if let label = event.label {
      attempt = "\(label.attempt)"
      work = label.work
    }
  }
}
