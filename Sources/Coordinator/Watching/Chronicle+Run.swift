internal import Chronicle
internal import FlapCore
internal import Foundation
internal import Host
internal import Journal

extension Chronicle {
  /// - Parameter results: those that an earlier part of the run has left; nil: it begins.
  func noteStart(_ identity: RunIdentity, resuming results: Int?) {
    var event = RunEvent(results == nil ? .started : .resumed, at: .now)
    event.results = results
    event.command = CommandLine.arguments
    event.version = SoftwareVersion.current
    event.options = identity.dictionary
    (event.host, event.process) = (Host.name, Host.processID)
    note(event)
  }

  func noteFinish() { note(RunEvent(.finished, at: .now)) }

  /// The run ends before its end.
  func noteEnd(_ error: any Error) {
    let isInterrupted = (error as? ClusterError)?.exitCode != nil
    var event = RunEvent(isInterrupted ? .interrupted : .failed, at: .now)
    event.reason = "\(error)"
    note(event)
  }
}
