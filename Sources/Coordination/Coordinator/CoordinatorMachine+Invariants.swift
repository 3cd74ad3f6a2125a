/// What must hold between any two events and no type can say: that tasks, workers and the budget
/// tell the same story.
extension CoordinatorMachine {
  /// - Returns: the broken invariants, described; none when all is well.
  public func violations() -> [String] {
    var broken: [String] = []
    var heldCount = 0
    for task in tasks.all {
      for holder in task.holders {
        heldCount += 1
        if let fault = fault(of: holder, in: task) { broken.append("\(task.told); \(fault)") }
      }
    }
    // Every holder has its job: as many jobs as holders means that every job has its holder.
    if workers.count - workers.idleCount != heldCount {
      broken.append("\(workers.count - workers.idleCount) jobs ≠ \(heldCount) held tasks")
    }
    let reportCount = workers.all.count { $0.job?.isReport == true }
    if budget.count != reportCount {
      broken.append("\(budget.count) reports have room ≠ \(reportCount) reports")
    }
    return broken
  }

  /// What is wrong between a task and a worker that has it.
  private func fault(of holder: TaskHolder, in task: TaskRecord) -> String? {
    guard let job = workers.find(holder.worker)?.job, job.attempt == holder.attempt else {
      return "\(holder.worker) does not have \(holder.attempt)"
    }
    switch (task.state, job.stage) {
    case (.storing(let offer, _), .handedOver(let result)):
      if offer != TaskOffer(attempt: job.attempt, digest: result.digest) {
        return "\(job.attempt) is stored beside \(offer.attempt)"
      }
    case (.storing(let offer, _), _):
      if offer.attempt == job.attempt { return "\(job.attempt) is stored and not handed over" }
    case (_, .handedOver), (_, .complete): return "nobody stores \(job.attempt)"
    default: break
    }
    let isAsBudgeted =
      switch job.stage {
      case .announced: budget.isWaiting(job.attempt)
      case .receiving, .complete(.received), .handedOver(.received): budget.isAdmitted(job.attempt)
      case .working, .complete(.written), .handedOver(.written): true
      }
    return isAsBudgeted ? nil : "\(job.attempt) has no room, or the wrong one"
  }
}

extension Job {
  /// Whether a result comes, or came, over the wire.
  fileprivate var isReport: Bool {
    switch stage {
    case .announced, .receiving, .complete(.received), .handedOver(.received): true
    case .working, .complete(.written), .handedOver(.written): false
    }
  }
}
