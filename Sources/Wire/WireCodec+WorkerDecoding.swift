internal import CFlapMessages
public import Coordination
internal import FlapCore

extension WireCodec {
  /// The worker's message that these frames hold.
  public static func decodeWorkerMessage(
    _ frames: [[UInt8]]
  ) throws(WireError) -> WorkerMessage {
    try FieldChecks.frames(frames)
    return try withUnpackedHeader(frames[0], flap__worker_header__unpack) {
      (header: Flap__WorkerHeader) throws(WireError) in
      if header.message_case == FLAP__WORKER_HEADER__MESSAGE_REPORT_CHUNK {
        return .reportChunk(try chunk(header.report_chunk, frames))
      }
      var message = try message(header)
      if message.checksums != nil, frames.count > 1 {
        guard frames.count == 2 else { throw .frameCount(found: frames.count) }
        message.checksums = try ChecksumFrame.decode(frames[1])
      } else {
        try FieldChecks.noRawFrames(frames)
      }
      return message
    }
  }

  private static func message(_ header: Flap__WorkerHeader) throws(WireError) -> WorkerMessage {
    switch header.message_case {
    case FLAP__WORKER_HEADER__MESSAGE_HELLO: .hello(try hello(header.hello))
    case FLAP__WORKER_HEADER__MESSAGE_HEARTBEAT: .heartbeat(try heartbeat(header.heartbeat))
    case FLAP__WORKER_HEADER__MESSAGE_ACCEPTED: .accepted(try FieldChecks.attempt(header.accepted))
    case FLAP__WORKER_HEADER__MESSAGE_REPORT_BEGIN: .reportBegin(try begin(header.report_begin))
    case FLAP__WORKER_HEADER__MESSAGE_REPORT_END:
      .reportEnd(try FieldChecks.attempt(header.report_end))
    case FLAP__WORKER_HEADER__MESSAGE_SHARD_COMMITTED:
      .shardCommitted(try shard(header.shard_committed))
    case FLAP__WORKER_HEADER__MESSAGE_TASK_FAILED: .taskFailed(try failure(header.task_failed))
    case FLAP__WORKER_HEADER__MESSAGE_BYE:
      .bye(reason: try FieldChecks.words(header.bye?.pointee.text, "reason"))
    default: throw .unknownMessage
    }
  }

  private static func hello(
    _ pointer: UnsafeMutablePointer<Flap__Hello>?
  ) throws(WireError) -> Hello {
    guard let hello = pointer?.pointee else { throw .missing(field: "hello") }
    return Hello(
      protocolVersion: Int(hello.protocol_version),
      softwareVersion: try FieldChecks.words(
        hello.software_version, "software version", limit: 64),
      host: try FieldChecks.words(hello.host, "host", limit: 255),
      processID: try FieldChecks.count(
        hello.process_id, "process number", atLeast: 1, atMost: Int(Int32.max)),
      instance: hello.instance,
      modelDigest: try FieldChecks.digest(hello.model_digest, "digest of the model"),
      kernelFingerprint: try FieldChecks.words(hello.kernel_fingerprint, "kernel fingerprint"),
      coreCount: try FieldChecks.count(hello.core_count, "count of cores", atLeast: 1),
      threadCount: try FieldChecks.count(hello.thread_count, "count of threads", atLeast: 1),
      memoryBytes: try FieldChecks.count(hello.memory_bytes, "memory"),
      modelDirectory: try FieldChecks.text(hello.model_directory, "folder of the model"))
  }

  private static func heartbeat(
    _ pointer: UnsafeMutablePointer<Flap__Heartbeat>?
  ) throws(WireError) -> Heartbeat {
    guard let heartbeat = pointer?.pointee else { throw .missing(field: "heartbeat") }
    return Heartbeat(
      attempt: heartbeat.attempt == nil ? nil : try FieldChecks.attempt(heartbeat.attempt),
      completedSteps: try FieldChecks.count(heartbeat.completed_steps, "count of completed steps"),
      totalSteps: try FieldChecks.count(heartbeat.total_steps, "count of steps"),
      residentBytes: try FieldChecks.count(heartbeat.resident_bytes, "resident memory"),
      peakResidentBytes: try FieldChecks.count(
        heartbeat.peak_resident_bytes, "peak of resident memory"))
  }

  private static func begin(
    _ pointer: UnsafeMutablePointer<Flap__ReportBegin>?
  ) throws(WireError) -> ReportBegin {
    guard let begin = pointer?.pointee else { throw .missing(field: "beginning of a report") }
    return ReportBegin(
      attempt: try FieldChecks.attempt(begin.attempt),
      byteCount: try FieldChecks.count(begin.byte_count, "size of a report"),
      digest: try FieldChecks.digest(begin.digest, "digest of a report"),
      endpoint: try FieldChecks.endpoint(begin.endpoint))
  }

  private static func chunk(
    _ pointer: UnsafeMutablePointer<Flap__ReportChunk>?, _ frames: [[UInt8]]
  ) throws(WireError) -> ReportChunk {
    guard let chunk = pointer?.pointee else { throw .missing(field: "chunk") }
    guard frames.count == 2 else { throw .frameCount(found: frames.count) }
    guard !frames[1].isEmpty else { throw .invalid(field: "chunk", reason: "empty") }
    return ReportChunk(
      attempt: try FieldChecks.attempt(chunk.attempt),
      offset: try FieldChecks.count(chunk.offset, "offset of a chunk"), bytes: frames[1])
  }

  private static func shard(
    _ pointer: UnsafeMutablePointer<Flap__ShardCommitted>?
  ) throws(WireError) -> ShardCommitted {
    guard let shard = pointer?.pointee else { throw .missing(field: "shard") }
    return ShardCommitted(
      attempt: try FieldChecks.attempt(shard.attempt),
      fileName: try FieldChecks.fileName(shard.file_name, "name of a shard"),
      byteCount: try FieldChecks.count(shard.byte_count, "size of a shard"),
      digest: try FieldChecks.digest(shard.digest, "digest of a shard"))
  }

  private static func failure(
    _ pointer: UnsafeMutablePointer<Flap__TaskFailed>?
  ) throws(WireError) -> TaskFailure {
    guard let failure = pointer?.pointee else { throw .missing(field: "failure") }
    guard let failureClass = TaskFailure.Class(rawValue: Int(failure.failure_class)) else {
      throw .invalid(field: "class of a failure", reason: "\(failure.failure_class)")
    }
    return TaskFailure(
      attempt: try FieldChecks.attempt(failure.attempt), failureClass: failureClass,
      reason: try FieldChecks.words(failure.reason, "reason"))
  }
}
