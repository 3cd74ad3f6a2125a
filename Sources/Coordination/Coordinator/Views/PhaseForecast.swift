/// How long a phase still takes, by how fast workers were so far and by what is left for each of them.
///
/// Costs tell only what tasks of one kind are to one another; how long a kind takes is seen. Until one
/// of a kind was seen it is taken to be as fast as the others.
public struct PhaseForecast: Sendable {
  /// Work of one kind, by its cost (``CoordinatorMachine/Task/cost``).
  public struct Part: Hashable, Sendable {
    public let kind: Work.Kind
    public let cost: Double

    public init(_ kind: Work.Kind, _ cost: Double) {
      self.kind = kind
      self.cost = cost
    }
  }

  private struct Effort {
    var cost = 0.0
    var seconds = 0.0

    /// Per cost; nil where nothing was done.
    var pace: Double? { cost > 0 && seconds > 0 ? seconds / cost : nil }
  }

  private var efforts = [Effort](repeating: Effort(), count: Work.Kind.allCases.count)
  private var running: [Part] = []
  private var waiting: [Part] = []
  private let workerCount: Int

  /// - Parameter workerCount: those that are there, busy or not.
  public init(workerCount: Int) { self.workerCount = workerCount }

  /// What a worker has done, whole tasks and parts of them.
  ///
  /// - Parameter seconds: that one worker has taken for it.
  public mutating func addDone(_ part: Part, seconds: Double) {
    efforts[part.kind.rawValue].cost += part.cost
    efforts[part.kind.rawValue].seconds += seconds
  }

  /// What is left of a task that a worker has.
  public mutating func addRunning(_ rest: Part) { running.append(rest) }

  /// A task that waits; they come in the order in which they are given out.
  public mutating func addWaiting(_ part: Part) { waiting.append(part) }

  /// Until the last task is done, if each goes to the worker that is free first; nil before anything
  /// was done, or where nobody is.
  public var secondsLeft: Double? {
    let all = efforts.reduce(into: Effort()) {
      $0.cost += $1.cost
      $0.seconds += $1.seconds
    }
    guard workerCount > 0, let usual = all.pace else { return nil }
    func seconds(_ part: Part) -> Double {
      part.cost * (efforts[part.kind.rawValue].pace ?? usual)
    }
    /// When each worker is free, the first one last.
    var free = running.map(seconds).sorted(by: >)
    free += Array(repeating: 0, count: max(0, workerCount - free.count))
    var end = free.first ?? 0
    for part in waiting {
      let done = free.removeLast() + seconds(part)
      end = max(end, done)
      free.insert(done, at: free.partitionIndex { $0 < done })
    }
    return end
  }
}

extension [Double] {
  /// The first index of an element of which the predicate holds, where it holds of all behind it.
  fileprivate func partitionIndex(_ belongsBehind: (Double) -> Bool) -> Int {
    var range = startIndex..<endIndex
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range =
        belongsBehind(self[middle])
        ? range.lowerBound..<middle : middle + 1..<range.upperBound
    }
    return range.lowerBound
  }
}
