import Coordination
import FlapCore
import Statistics

/// A worker's process as others see it: what it holds for them, for as long as it lives, whether or
/// not it is welcome at the moment.
struct VirtualPeer {
  /// Empty: nobody can ask it, and it can ask nobody.
  let endpoint: String
  private var held: [Digest: (bytes: [UInt8], round: Int)] = [:]
  private var runID: String?
  private var plan: Digest?

  init(endpoint: String) { self.endpoint = endpoint }

  mutating func configure(_ terms: Welcome) {
    if runID != terms.runID { held = [:] }
    runID = terms.runID
  }

  mutating func adopt(_ plan: PlanBroadcast) {
    if self.plan != plan.digest { held = [:] }
    self.plan = plan.digest
  }

  mutating func makeRoom(for work: Work) {
    switch work {
    case .sum(let work): held = held.filter { $0.value.round >= work.round - 1 }
    case .merge: break
    case .measureSamples, .measureWeights, .measureMap, .score, .writeShard: held = [:]
    }
  }

  mutating func put(_ bytes: [UInt8], _ digest: Digest, round: Int) {
    held[digest] = (bytes, round)
  }

  func find(_ digest: Digest) -> [UInt8]? { held[digest]?.bytes }
}

extension VirtualCluster {
  /// Keeps what a worker has summed. - Returns: its report.
  mutating func keep(_ work: SumWork, by instance: UInt64, isDamaged: Bool) -> [UInt8] {
    let held = VirtualWork.sums(of: work).map { sum, value in
      let bytes = isDamaged ? value.bytes + [0, 0, 0] : value.bytes
      let digest = isDamaged ? VirtualWork.digest(of: bytes) : sum.digest
      if let folder = work.folder {
        passing["\(folder)/\(SumWork.fileName(sum.place, sum.kind, work.unit.node))"] = bytes
      } else {
        peers[instance]!.put(bytes, digest, round: work.round)
      }
      return HeldSum(sum.place, sum.kind, digest)
    }
    return VirtualWork.encode(held)
  }

  /// Adds up what is where it should be.
  mutating func merge(_ merge: SumMerge, by worker: VirtualWorker) -> MergeOutcome {
    var lost: [Digest] = []
    var sum = VirtualSum()
    for source in merge.sources {
      if let bytes = fetch(source, for: worker) {
        sum.add(VirtualSum(bytes: bytes))
      } else {
        lost.append(source.digest)
      }
    }
    guard lost.isEmpty else {
      lostSumCount += lost.count
      return .lost(lost)
    }
    files[merge.path] = sum.bytes
    return .merged(
      tokenCount: sum.count(.kept, .targets), heldOutTokenCount: sum.count(.heldOut))
  }

  /// - Returns: nil when it cannot be had, or is not what its digest says.
  private mutating func fetch(_ source: SumMerge.Source, for worker: VirtualWorker) -> [UInt8]? {
    if let own = peers[worker.instance]!.find(source.digest) { return own }
    var bytes: [UInt8]
    switch source.location {
    case .file(let path):
      guard let file = passing[path] else { return nil }
      bytes = file
    case .worker(let endpoint):
      guard !endpoint.isEmpty, !peers[worker.instance]!.endpoint.isEmpty, !isCutOff(worker),
        let (instance, holder) = peers.first(where: { $0.value.endpoint == endpoint }),
        let held = holder.find(source.digest), !generator.chance(faults.losePeer)
      else { return nil }
      // Between two names a process is there all the same.
      if let other = workers.values.first(where: { $0.instance == instance }), isCutOff(other) {
        return nil
      }
      bytes = held
    }
    if generator.chance(faults.garbleSum) {
      faultCount += 1
      bytes[bytes.count - 1] ^= 1
    }
    guard VirtualWork.digest(of: bytes) == source.digest || bug == .addsGarbage else { return nil }
    return bytes
  }

  private func isCutOff(_ worker: VirtualWorker) -> Bool {
    [worker.pausedUntil, worker.partitionedUntil].contains { $0.map { $0 > now } ?? false }
  }
}
