/// Views of the state, for progress displays and for tests.
extension CoordinatorMachine {
  /// Tasks done, those in work counted by the share of their steps.
  public var progress: (completedTasks: Double, taskCount: Int) {
    let working = workers.all.reduce(0.0) { sum, worker in
      guard let job = worker.job, case .running = tasks[job.attempt.task].state else { return sum }
      return sum + job.fraction
    }
    let done = Double(tasks.count - tasks.unfinishedCount)
    return (min(done + working, Double(tasks.count)), tasks.count)
  }

  /// How far the tasks are that were submitted last, by what they cost, 0…1.
  ///
  /// - Precondition: all others are done.
  public var phaseFraction: Double {
    let total = tasks.cost - earlierCost
    guard total > 0 else { return 1 }
    let working = workers.all.reduce(0.0) { sum, worker in
      guard let job = worker.job, case .running = tasks[job.attempt.task].state else { return sum }
      return sum + job.fraction * tasks[job.attempt.task].cost
    }
    return min(1, (tasks.doneCost - earlierCost + working) / total)
  }

  public var workerCount: Int { workers.count }

  /// The most anonymous memory that any present worker was seen to hold.
  public var peakResidentBytes: Int { workers.all.map(\.peakResidentBytes).max() ?? 0 }

  public func views(at now: Instant) -> [WorkerView] {
    workers.all.map { worker in
      WorkerView(
        id: worker.id, host: worker.hello.host, processID: worker.hello.processID,
        threadCount: worker.hello.threadCount, attempt: worker.job?.attempt,
        task: worker.job.map { tasks[$0.attempt.task].work.name },
        fraction: worker.job?.fraction ?? 0, completedTaskCount: worker.completedTaskCount,
        residentBytes: worker.residentBytes, silence: now - worker.lastHeard)
    }
  }

  /// What happened to a task so far, in one line; nil for one that was not submitted.
  public func story(of task: TaskID) -> String? { tasks.find(task)?.told }
}
