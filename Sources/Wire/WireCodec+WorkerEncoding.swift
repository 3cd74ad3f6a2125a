internal import CFlapMessages
public import Coordination
internal import FlapCore

extension WireCodec {
  /// The frames of a message to the coordinator. Texts above 8 KiB are cut.
  ///
  /// - Precondition: counts are not negative, a chunk has 1…`Limits.chunkBytes` bytes.
  public static func encode(_ message: WorkerMessage) -> [[UInt8]] {
    let packing = HeaderPacking()
    let header = packing.part(Flap__WorkerHeader(), flap__worker_header__init) { header in
      packing.fill(&header, with: message)
    }
    let frame = packing.pack(
      header, flap__worker_header__get_packed_size, flap__worker_header__pack)
    if let checksums = message.checksums, !checksums.isEmpty {
      return [frame, ChecksumFrame.encode(checksums)]
    }
    guard case .reportChunk(let chunk) = message else { return [frame] }
    precondition(
      (1...Limits.chunkBytes).contains(chunk.bytes.count), "A chunk fits one raw frame.")
    return [frame, chunk.bytes]
  }
}

extension HeaderPacking {
  fileprivate func fill(_ header: inout Flap__WorkerHeader, with message: WorkerMessage) {
    switch message {
    case .hello(let hello):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_HELLO
      header.hello = part(of: hello)
    case .heartbeat(let heartbeat):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_HEARTBEAT
      header.heartbeat = part(of: heartbeat)
    case .accepted(let attempt):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_ACCEPTED
      header.accepted = part(of: attempt)
    case .reportBegin(let begin):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_REPORT_BEGIN
      header.report_begin = part(Flap__ReportBegin(), flap__report_begin__init) {
        $0.attempt = part(of: begin.attempt)
        $0.byte_count = UInt64(begin.byteCount)
        $0.digest = data(begin.digest.bytes)
        $0.endpoint = text(begin.endpoint)
      }
    case .reportChunk(let chunk):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_REPORT_CHUNK
      header.report_chunk = part(Flap__ReportChunk(), flap__report_chunk__init) {
        $0.attempt = part(of: chunk.attempt)
        $0.offset = UInt64(chunk.offset)
      }
    case .reportEnd(let attempt):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_REPORT_END
      header.report_end = part(of: attempt)
    case .shardCommitted(let shard):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_SHARD_COMMITTED
      header.shard_committed = part(of: shard)
    case .taskFailed(let failure):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_TASK_FAILED
      header.task_failed = part(Flap__TaskFailed(), flap__task_failed__init) {
        $0.attempt = part(of: failure.attempt)
        $0.failure_class = UInt32(failure.failureClass.rawValue)
        $0.reason = text(failure.reason)
      }
    case .bye(let reason):
      header.message_case = FLAP__WORKER_HEADER__MESSAGE_BYE
      header.bye = part(of: reason)
    }
  }

  func part(of attempt: TaskAttempt) -> UnsafeMutablePointer<Flap__TaskAttempt> {
    part(Flap__TaskAttempt(), flap__task_attempt__init) {
      $0.task = attempt.task.rawValue
      $0.attempt = UInt32(attempt.attempt)
    }
  }

  func part(of reason: String) -> UnsafeMutablePointer<Flap__Reason> {
    part(Flap__Reason(), flap__reason__init) { $0.text = text(reason) }
  }

  private func part(of hello: Hello) -> UnsafeMutablePointer<Flap__Hello> {
    part(Flap__Hello(), flap__hello__init) {
      $0.protocol_version = UInt32(hello.protocolVersion)
      $0.software_version = text(hello.softwareVersion)
      $0.host = text(hello.host)
      $0.process_id = UInt32(hello.processID)
      $0.instance = hello.instance
      $0.model_digest = data(hello.modelDigest.bytes)
      $0.kernel_fingerprint = text(hello.kernelFingerprint)
      $0.core_count = UInt32(hello.coreCount)
      $0.thread_count = UInt32(hello.threadCount)
      $0.memory_bytes = UInt64(hello.memoryBytes)
      $0.model_directory = text(hello.modelDirectory)
    }
  }

  private func part(of heartbeat: Heartbeat) -> UnsafeMutablePointer<Flap__Heartbeat> {
    part(Flap__Heartbeat(), flap__heartbeat__init) {
      if let attempt = heartbeat.attempt { $0.attempt = part(of: attempt) }
      $0.completed_steps = UInt64(heartbeat.completedSteps)
      $0.total_steps = UInt64(heartbeat.totalSteps)
      $0.resident_bytes = UInt64(heartbeat.residentBytes)
      $0.peak_resident_bytes = UInt64(heartbeat.peakResidentBytes)
    }
  }

  private func part(of shard: ShardCommitted) -> UnsafeMutablePointer<Flap__ShardCommitted> {
    part(Flap__ShardCommitted(), flap__shard_committed__init) {
      $0.attempt = part(of: shard.attempt)
      $0.file_name = text(shard.fileName)
      $0.byte_count = UInt64(shard.byteCount)
      $0.digest = data(shard.digest.bytes)
    }
  }
}
