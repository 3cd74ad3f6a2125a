internal import CFlapMessages
public import Coordination
internal import FlapCore
internal import Statistics

extension WireCodec {
  /// The frames of a message to a worker. Texts above 8 KiB are cut.
  ///
  /// - Precondition: counts are not negative and what is sent fits the frames of one message.
  public static func encode(_ message: CoordinatorMessage) -> [[UInt8]] {
    let packing = HeaderPacking()
    let header = packing.part(Flap__CoordinatorHeader(), flap__coordinator_header__init) {
      packing.fill(&$0, with: message)
    }
    let frame = packing.pack(
      header, flap__coordinator_header__get_packed_size, flap__coordinator_header__pack)
    let rawFrames = rawFrames(of: message)
    precondition(
      rawFrames.count < Limits.framesPerMessage, "A message has bounded raw frames.")
    return [frame] + rawFrames
  }

  private static func rawFrames(of message: CoordinatorMessage) -> [[UInt8]] {
    switch message {
    case .plan(let plan): return RawFrames.cut(plan.payload)
    case .assign(let assignment):
      switch assignment.work {
      case .measureSamples(_, let unit, _): return RawFrames.cut(of: unit)
      case .score(let work): return RawFrames.cut(ScoreFrames.numbers(work.leaves))
      case .sum(let work): return RawFrames.cut(of: work.unit)
      case .merge(let merge):
        return RawFrames.cut(merge.exponents) + RawFrames.cut(MergeSources.bytes(merge.sources))
      case .measureMap(let work): return work.samples.map { RawFrames.cut($0.tokens) } ?? []
      case .measureWeights, .writeShard: return []
      }
    default: return []
    }
  }
}

extension HeaderPacking {
  fileprivate func fill(
    _ header: inout Flap__CoordinatorHeader, with message: CoordinatorMessage
  ) {
    switch message {
    case .welcome(let welcome):
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_WELCOME
      header.welcome = part(of: welcome)
    case .reject(let rejection):
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_REJECT
      header.reject = part(Flap__Rejection(), flap__rejection__init) {
        $0.reason = text(rejection.reason)
        $0.is_final = rejection.isFinal ? 1 : 0
      }
    case .leaseRenewed:
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_LEASE_RENEWED
      header.lease_renewed = empty()
    case .assign(let assignment):
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_ASSIGN
      header.assign = part(Flap__Assignment(), flap__assignment__init) {
        $0.attempt = part(of: assignment.attempt)
        $0.serial = assignment.serial
        fill(&$0, with: assignment.work)
      }
    case .credit(let attempt, let chunks):
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_CREDIT
      header.credit = part(Flap__Credit(), flap__credit__init) {
        $0.attempt = part(of: attempt)
        $0.chunks = UInt32(chunks)
      }
    case .reportAcknowledged(let attempt):
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_REPORT_ACKNOWLEDGED
      header.report_acknowledged = part(of: attempt)
    case .cancel(let attempt):
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_CANCEL
      header.cancel = part(of: attempt)
    case .plan(let plan):
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_PLAN
      header.plan = part(of: plan)
    case .drain:
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_DRAIN
      header.drain = empty()
    case .shutdown(let end):
      header.message_case = FLAP__COORDINATOR_HEADER__MESSAGE_SHUTDOWN
      header.shutdown = part(Flap__Shutdown(), flap__shutdown__init) {
        $0.is_complete = end == .complete ? 1 : 0
      }
    }
  }

  private func empty() -> UnsafeMutablePointer<Flap__Empty> {
    part(Flap__Empty(), flap__empty__init) { _ in }
  }

  private func part(of welcome: Welcome) -> UnsafeMutablePointer<Flap__Welcome> {
    part(Flap__Welcome(), flap__welcome__init) {
      $0.run_id = text(welcome.runID)
      $0.compute = text(welcome.compute.rawValue)
      $0.tokens_per_sample = UInt32(welcome.tokensPerSample)
      $0.samples_per_leaf = UInt32(welcome.samplesPerLeaf)
      $0.leaves_per_unit = UInt32(welcome.leavesPerUnit)
      $0.heartbeat_interval_nanoseconds = nanoseconds(welcome.heartbeatInterval)
      $0.lease_nanoseconds = nanoseconds(welcome.lease)
      $0.peer_secret = data(welcome.peerSecret)
    }
  }

  private func fill(_ part: inout Flap__Assignment, with work: Work) {
    switch work {
    case .measureSamples(let kinds, let unit, let plan):
      part.work_case = FLAP__ASSIGNMENT__WORK_SAMPLES
      part.samples = self.part(Flap__SampleWork(), flap__sample_work__init) {
        ($0.kinds, $0.n_kinds) = texts(kinds.map(\.name))
        $0.unit = self.part(of: unit)
        if let plan { $0.plan_digest = data(plan.bytes) }
      }
    case .measureWeights(let kinds, let layer):
      part.work_case = FLAP__ASSIGNMENT__WORK_WEIGHTS
      part.weights = self.part(Flap__WeightWork(), flap__weight_work__init) {
        ($0.kinds, $0.n_kinds) = texts(kinds.map(\.name))
        $0.layer = UInt32(layer)
      }
    case .measureMap(let work):
      part.work_case = FLAP__ASSIGNMENT__WORK_MAP
      part.map = self.part(Flap__MapWork(), flap__map_work__init) {
        ($0.kinds, $0.n_kinds) = texts(work.kinds.map(\.name))
        $0.layer = UInt32(work.place.layer)
        $0.tap = UInt32(work.place.tap.rawValue)
        $0.second_moments = text(work.secondMoments)
        $0.n_levels = work.levels.count
        $0.levels = numbers(work.levels.map { UInt32($0) })
        if let samples = work.samples { $0.samples = self.part(of: samples) }
      }
    case .score(let work):
      part.work_case = FLAP__ASSIGNMENT__WORK_SCORE
      part.score = self.part(Flap__ScoreWork(), flap__score_work__init) {
        $0.number = UInt64(work.number)
        $0.leaf_count = UInt32(work.leaves.count)
        if let plan = work.plan { $0.plan_digest = data(plan.bytes) }
      }
    case .sum(let work):
      part.work_case = FLAP__ASSIGNMENT__WORK_SUM
      part.sum = self.part(of: work)
    case .merge(let merge):
      part.work_case = FLAP__ASSIGNMENT__WORK_MERGE
      part.merge = self.part(of: merge)
    case .writeShard(let index):
      part.work_case = FLAP__ASSIGNMENT__WORK_WRITE_SHARD_INDEX
      part.write_shard_index = UInt32(index)
    }
  }

  private func part(of work: SumWork) -> UnsafeMutablePointer<Flap__SumWork> {
    part(Flap__SumWork(), flap__sum_work__init) {
      switch work.inputs {
      case .dense(let layers):
        $0.first_layer = UInt32(layers.lowerBound)
        $0.layer_count = UInt32(layers.count)
      case .pruned(let place, let plan):
        $0.first_layer = UInt32(place.layer)
        $0.tap = UInt32(place.tap.rawValue)
        $0.plan_digest = data(plan.bytes)
      }
      $0.unit = self.part(of: work.unit)
      $0.round = UInt64(work.round)
      $0.folder = text(work.folder ?? "")
    }
  }

  private func part(of merge: SumMerge) -> UnsafeMutablePointer<Flap__SumMerge> {
    part(Flap__SumMerge(), flap__sum_merge__init) {
      $0.layer = UInt32(merge.place.layer)
      $0.tap = UInt32(merge.place.tap.rawValue)
      switch merge.origin {
      case .dense(let digest): $0.data_digest = data(digest.bytes)
      case .pruned(let digest): $0.plan_digest = data(digest.bytes)
      }
      $0.scale_count = UInt32(merge.exponents.count)
      $0.source_count = UInt32(merge.sources.count)
      $0.path = text(merge.path)
      $0.token_count = UInt64(merge.tokenCount)
      $0.held_out_token_count = UInt64(merge.heldOutTokenCount)
    }
  }

  private func part(of unit: WorkUnit) -> UnsafeMutablePointer<Flap__WorkUnit> {
    part(Flap__WorkUnit(), flap__work_unit__init) {
      $0.node_level = UInt32(unit.node.level)
      $0.node_index = UInt64(unit.node.index)
      $0.n_samples_per_leaf = unit.samplesPerLeaf.count
      $0.samples_per_leaf = numbers(unit.samplesPerLeaf.map { UInt32($0) })
      $0.tokens_per_sample = UInt32(unit.tokensPerSample)
      guard let scales = unit.scales else { return }
      $0.n_scale_counts = scales.taps.count
      $0.scale_counts = numbers(scales.taps.map { UInt32($0.count) })
    }
  }

  private func part(of plan: PlanBroadcast) -> UnsafeMutablePointer<Flap__Plan> {
    part(Flap__Plan(), flap__plan__init) {
      $0.output_directory = text(plan.outputDirectory ?? "")
      $0.maximum_shard_bytes = UInt64(plan.maximumShardBytes)
      $0.is_uniform = plan.isUniform ? 1 : 0
      $0.second_moments = text(plan.secondMoments ?? "")
      $0.target_moments = text(plan.targetMoments ?? "")
      $0.digest = data(plan.digest.bytes)
      $0.payload_byte_count = UInt64(plan.payload.count)
    }
  }

  private func nanoseconds(_ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}
