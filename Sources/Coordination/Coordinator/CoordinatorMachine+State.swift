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

  /// How far the tasks are that were submitted last, 0…1: the share of the time that they take, as
  /// far as that can be told from those that are done; before, of what they cost.
  ///
  /// - Precondition: all others are done.
  public func phaseFraction(at now: Instant) -> Double {
    let total = tasks.cost - phase.earlierCost
    guard total > 0 else { return 1 }
    var working = 0.0
    var forecast = PhaseForecast(workerCount: workers.count)
    for (kind, done) in phase.done {
      forecast.addDone(.init(kind, done.cost), seconds: done.seconds)
    }
    for worker in workers.all {
      guard let job = worker.job, case .running = tasks[job.attempt.task].state else { continue }
      let cost = tasks[job.attempt.task].cost
      working += job.fraction * cost
      forecast.addRunning(.init(job.kind, (1 - job.fraction) * cost))
      guard job.completedSteps > 0 else { continue }
      forecast.addDone(
        .init(job.kind, job.fraction * cost), seconds: (now - job.assignedAt).seconds)
    }
    for task in tasks.waiting { forecast.addWaiting(.init(task.work.kind, task.cost)) }
    let share = min(1, (tasks.doneCost - phase.earlierCost + working) / total)
    let elapsed = (now - phase.began).seconds
    guard share < 1, elapsed > 0, let left = forecast.secondsLeft, left > 0 else { return share }
    return elapsed / (elapsed + left)
  }

  public var workerCount: Int { workers.count }

  public var presentWorkers: Set<WorkerID> { Set(workers.all.map(\.id)) }

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
