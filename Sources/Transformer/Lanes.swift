internal import Kernels

/// Threads and scratch with which one leaf goes through a layer.
struct Lane {
  let index: Int
  let team: ThreadTeam
  let scratch: LaneScratch
  let perThread: ThreadScratch
}

/// The lanes of a forward pass, and all threads as one lane for what is left over.
struct Lanes {
  /// All threads, with the first lane's scratch.
  let whole: Lane
  /// None where one lane has all threads.
  private let lanes: [Lane]
  /// One thread for each lane, which is that lane's caller.
  private let callers: ThreadTeam

  init(_ split: LaneSplit, scratch: Scratch) {
    whole = Lane(
      index: 0, team: ThreadTeam(threadCount: split.threadCount), scratch: scratch.lanes[0],
      perThread: scratch.threads)
    let laneCount = split.laneCount > 1 ? split.laneCount : 0
    lanes = (0..<laneCount).map { lane in
      let threads = split.threads(ofLane: lane)
      return Lane(
        index: lane, team: ThreadTeam(threadCount: threads.count), scratch: scratch.lanes[lane],
        perThread: scratch.threads[threads])
    }
    callers = ThreadTeam(threadCount: split.laneCount)
  }

  /// Calls `body` for 0..<count, as many at a time as there are lanes, and gives the results in
  /// their order to `take`.
  ///
  /// - Parameter body: called from several threads at once, each with a lane of its own.
  func run<Result>(
    _ count: Int, _ body: (_ index: Int, Lane) -> Result, _ take: (Result) throws -> Void
  ) rethrows {
    var next = 0
    while !lanes.isEmpty, next + lanes.count <= count {
      for result in together(next, body) { try take(result) }
      next += lanes.count
    }
    for index in next..<count { try take(body(index, whole)) }
  }

  private func together<Result>(
    _ first: Int, _ body: (_ index: Int, Lane) -> Result
  ) -> [Result] {
    Array(unsafeUninitializedCapacity: lanes.count) { results, count in
      let slots = results.baseAddress!
      callers.run(.other, taskCount: lanes.count) { lane, _ in
        (slots + lane).initialize(to: body(first + lane, lanes[lane]))
      }
      count = lanes.count
    }
  }

  /// What the threads' time was spent on so far; between passes.
  var phaseSeconds: PhaseSeconds {
    lanes.reduce(whole.team.phaseSeconds) { $0 + $1.team.phaseSeconds }
  }
}
