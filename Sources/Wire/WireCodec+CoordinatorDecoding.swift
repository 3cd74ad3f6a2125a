internal import CFlapMessages
public import Coordination
internal import FlapCore
internal import Statistics

extension WireCodec {
  /// The coordinator's message that these frames hold.
  public static func decodeCoordinatorMessage(
    _ frames: [[UInt8]]
  ) throws(WireError) -> CoordinatorMessage {
    try FieldChecks.frames(frames)
    return try withUnpackedHeader(frames[0], flap__coordinator_header__unpack) {
      (header: Flap__CoordinatorHeader) throws(WireError) in
      switch header.message_case {
      case FLAP__COORDINATOR_HEADER__MESSAGE_ASSIGN:
        return .assign(try assignment(header.assign, frames))
      case FLAP__COORDINATOR_HEADER__MESSAGE_PLAN:
        return .plan(try plan(header.plan, frames))
      default:
        try FieldChecks.noRawFrames(frames)
        return try message(header)
      }
    }
  }

  private static func message(
    _ header: Flap__CoordinatorHeader
  ) throws(WireError) -> CoordinatorMessage {
    switch header.message_case {
    case FLAP__COORDINATOR_HEADER__MESSAGE_WELCOME: .welcome(try welcome(header.welcome))
    case FLAP__COORDINATOR_HEADER__MESSAGE_REJECT: .reject(try rejection(header.reject))
    case FLAP__COORDINATOR_HEADER__MESSAGE_LEASE_RENEWED: .leaseRenewed
    case FLAP__COORDINATOR_HEADER__MESSAGE_CREDIT: try credit(header.credit)
    case FLAP__COORDINATOR_HEADER__MESSAGE_REPORT_ACKNOWLEDGED:
      .reportAcknowledged(try FieldChecks.attempt(header.report_acknowledged))
    case FLAP__COORDINATOR_HEADER__MESSAGE_CANCEL: .cancel(try FieldChecks.attempt(header.cancel))
    case FLAP__COORDINATOR_HEADER__MESSAGE_DRAIN: .drain
    case FLAP__COORDINATOR_HEADER__MESSAGE_SHUTDOWN: try shutdown(header.shutdown)
    default: throw .unknownMessage
    }
  }

  private static func shutdown(
    _ pointer: UnsafeMutablePointer<Flap__Shutdown>?
  ) throws(WireError) -> CoordinatorMessage {
    guard let shutdown = pointer?.pointee else { throw .missing(field: "shutdown") }
    return .shutdown(shutdown.is_complete != 0 ? .complete : .early)
  }

  private static func credit(
    _ pointer: UnsafeMutablePointer<Flap__Credit>?
  ) throws(WireError) -> CoordinatorMessage {
    guard let credit = pointer?.pointee else { throw .missing(field: "credit") }
    return .credit(
      try FieldChecks.attempt(credit.attempt),
      chunks: try FieldChecks.count(credit.chunks, "credit", atLeast: 1))
  }

  private static func rejection(
    _ pointer: UnsafeMutablePointer<Flap__Rejection>?
  ) throws(WireError) -> Rejection {
    guard let rejection = pointer?.pointee else { throw .missing(field: "rejection") }
    return Rejection(
      reason: try FieldChecks.words(rejection.reason, "reason"), isFinal: rejection.is_final != 0)
  }

  private static func welcome(
    _ pointer: UnsafeMutablePointer<Flap__Welcome>?
  ) throws(WireError) -> Welcome {
    guard let welcome = pointer?.pointee else { throw .missing(field: "welcome") }
    let compute = try FieldChecks.text(welcome.compute, "number format")
    guard let compute = ComputeType(rawValue: compute) else {
      throw FieldChecks.unknown("number format", compute)
    }
    let decoded = Welcome(
      runID: try FieldChecks.text(welcome.run_id, "run", mayBeEmpty: false), compute: compute,
      tokensPerSample: try FieldChecks.count(
        welcome.tokens_per_sample, "count of tokens per sample", atLeast: 1),
      samplesPerLeaf: try FieldChecks.count(
        welcome.samples_per_leaf, "count of samples per leaf", atLeast: 1),
      leavesPerUnit: try FieldChecks.count(
        welcome.leaves_per_unit, "count of leaves per unit", atLeast: 1,
        atMost: Limits.leavesPerUnit),
      heartbeatInterval: try FieldChecks.duration(
        welcome.heartbeat_interval_nanoseconds, "heartbeat interval"),
      lease: try FieldChecks.duration(welcome.lease_nanoseconds, "lease"),
      peerSecret: try FieldChecks.peerSecret(welcome.peer_secret))
    // The worker allocates from the product.
    _ = try WorkUnitChecks.tokenCount(
      sampleCount: WorkUnitChecks.product(decoded.samplesPerLeaf, decoded.leavesPerUnit),
      tokensPerSample: decoded.tokensPerSample)
    return decoded
  }

  private static func assignment(
    _ pointer: UnsafeMutablePointer<Flap__Assignment>?, _ frames: [[UInt8]]
  ) throws(WireError) -> Assignment {
    guard let assignment = pointer?.pointee else { throw .missing(field: "assignment") }
    let work: Work
    switch assignment.work_case {
    case FLAP__ASSIGNMENT__WORK_SAMPLES:
      work = try sampleWork(assignment.samples, frames)
    case FLAP__ASSIGNMENT__WORK_WEIGHTS:
      try FieldChecks.noRawFrames(frames)
      work = try weightWork(assignment.weights)
    case FLAP__ASSIGNMENT__WORK_MAP:
      work = try mapWork(assignment.map, frames)
    case FLAP__ASSIGNMENT__WORK_SCORE:
      work = .score(try ScoreFrames.work(assignment.score, frames))
    case FLAP__ASSIGNMENT__WORK_SUM: work = .sum(try SumChecks.work(assignment.sum, frames))
    case FLAP__ASSIGNMENT__WORK_MERGE: work = .merge(try SumChecks.merge(assignment.merge, frames))
    case FLAP__ASSIGNMENT__WORK_WRITE_SHARD_INDEX:
      try FieldChecks.noRawFrames(frames)
      work = .writeShard(
        index: try FieldChecks.count(assignment.write_shard_index, "number of a shard"))
    default: throw .missing(field: "work")
    }
    return Assignment(
      attempt: try FieldChecks.attempt(assignment.attempt), work: work, serial: assignment.serial)
  }

  private static func sampleWork(
    _ pointer: UnsafeMutablePointer<Flap__SampleWork>?, _ frames: [[UInt8]]
  ) throws(WireError) -> Work {
    guard let samples = pointer?.pointee else { throw .missing(field: "samples") }
    return .measureSamples(
      try FieldChecks.kinds(samples.kinds, count: samples.n_kinds),
      try WorkUnitChecks.unit(samples.unit, frames),
      plan: samples.plan_digest.len == 0
        ? nil : try FieldChecks.digest(samples.plan_digest, "digest of the plan"))
  }

  private static func weightWork(
    _ pointer: UnsafeMutablePointer<Flap__WeightWork>?
  ) throws(WireError) -> Work {
    guard let weights = pointer?.pointee else { throw .missing(field: "weights") }
    return .measureWeights(
      try FieldChecks.kinds(weights.kinds, count: weights.n_kinds),
      layer: try FieldChecks.count(weights.layer, "layer", atMost: Limits.layerCount - 1))
  }

  private static func mapWork(
    _ pointer: UnsafeMutablePointer<Flap__MapWork>?, _ frames: [[UInt8]]
  ) throws(WireError) -> Work {
    guard let map = pointer?.pointee else { throw .missing(field: "map") }
    if map.samples == nil { try FieldChecks.noRawFrames(frames) }
    return .measureMap(
      MapWork(
        kinds: try FieldChecks.kinds(map.kinds, count: map.n_kinds),
        place: try FieldChecks.place(layer: map.layer, tap: map.tap),
        secondMoments: try FieldChecks.text(
          map.second_moments, "folder of second moments", mayBeEmpty: false),
        levels: try levels(UnsafeBufferPointer(start: map.levels, count: map.n_levels)),
        samples: map.samples == nil ? nil : try WorkUnitChecks.unit(map.samples, frames)))
  }

  private static func levels(_ counts: UnsafeBufferPointer<UInt32>) throws(WireError) -> [Int] {
    guard counts.count <= ModuleLosses.levelLimit, zip(counts, counts.dropFirst()).allSatisfy(<),
      counts.allSatisfy({ (1...UInt32(Limits.dimension)).contains($0) })
    else { throw .invalid(field: "levels", reason: "\(counts.count) of them, not ascending") }
    return counts.map { Int($0) }
  }

  private static func plan(
    _ pointer: UnsafeMutablePointer<Flap__Plan>?, _ frames: [[UInt8]]
  ) throws(WireError) -> PlanBroadcast {
    guard let plan = pointer?.pointee else { throw .missing(field: "plan") }
    let byteCount = try FieldChecks.count(plan.payload_byte_count, "size of the plan", atLeast: 1)
    let found = RawFrames.byteCount(frames)
    guard found == byteCount else {
      throw .rawByteCount(of: "plan", expected: byteCount, found: found)
    }
    let directory = try FieldChecks.text(plan.output_directory, "output folder")
    let secondMoments = try FieldChecks.text(plan.second_moments, "folder of second moments")
    let targetMoments = try FieldChecks.text(plan.target_moments, "folder of sums")
    return PlanBroadcast(
      outputDirectory: directory.isEmpty ? nil : directory,
      maximumShardBytes: try FieldChecks.count(
        plan.maximum_shard_bytes, "largest size of a shard", atLeast: 1),
      isUniform: plan.is_uniform != 0,
      secondMoments: secondMoments.isEmpty ? nil : secondMoments,
      targetMoments: targetMoments.isEmpty ? nil : targetMoments,
      digest: try FieldChecks.digest(plan.digest, "digest of the plan"),
      payload: RawFrames.joinBytes(frames))
  }
}
