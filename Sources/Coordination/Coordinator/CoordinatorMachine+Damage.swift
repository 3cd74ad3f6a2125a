/// Workers whose copy of the model is damaged.
extension CoordinatorMachine {
  /// Turns a worker away for good: whatever it computes is wrong. Its task goes to another; no host
  /// and no task is blamed.
  mutating func turnAway(_ id: WorkerID, _ damage: TensorDamage, _ effects: inout [Effect]) {
    guard let worker = workers.remove(id) else { return }
    let hello = worker.hello
    let folder = hello.modelDirectory.isEmpty ? "" : hello.modelDirectory + "/"
    let reason =
      "the model on \(hello.host) is damaged: \(damage.tensor) in \(folder)\(damage.fileName) differs "
      + "from the coordinator's copy: copy that file there anew, or see which copy is bad with "
      + "flap-coord inspect --verify"
    counters.losses += 1
    effects.append(.send(.reject(Rejection(reason: reason, isFinal: true)), to: id))
    effects.append(.log(.workerRefused(id, host: hello.host, reason: reason)))
    guard let job = worker.job else { return }
    dropReport(of: job, &effects)
    noteRequeued(job.attempt, tasks[job.attempt.task].release(by: id), &effects)
  }

  /// A worker says that it cannot do its task. It may be its copy of the model that does not let it.
  mutating func fail(
    _ failure: TaskFailure, from id: WorkerID, _ effects: inout [Effect]
  ) {
    guard workers[id].job?.attempt == failure.attempt else { return }
    guard failure.checksums.isEmpty else {
      return effects.append(.verify(failure, ModelClaim(id, failure.checksums)))
    }
    acceptFailure(failure, from: id, &effects)
  }
}
