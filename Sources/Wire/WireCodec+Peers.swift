internal import CFlapMessages
internal import FlapCore

extension WireCodec {
  // MARK: Requests

  /// The one frame of a request to another worker.
  ///
  /// - Precondition: the offset is not negative, 1…`Limits.chunkBytes` bytes are asked for.
  public static func encode(_ request: PeerRequest) -> [[UInt8]] {
    precondition(
      (1...Limits.chunkBytes).contains(request.byteCount), "What is asked for fits one raw frame.")
    let packing = HeaderPacking()
    let header = packing.part(Flap__PeerRequest(), flap__peer_request__init) {
      $0.digest = packing.data(request.digest.bytes)
      $0.offset = UInt64(request.offset)
      $0.byte_count = UInt32(request.byteCount)
    }
    return [
      packing.pack(header, flap__peer_request__get_packed_size, flap__peer_request__pack)
    ]
  }

  /// The request that these frames hold. Whether there is such a part of a file, it does not say.
  public static func decodePeerRequest(_ frames: [[UInt8]]) throws(WireError) -> PeerRequest {
    try FieldChecks.frames(frames)
    try FieldChecks.noRawFrames(frames)
    return try withUnpackedHeader(frames[0], flap__peer_request__unpack) {
      (header: Flap__PeerRequest) throws(WireError) in
      PeerRequest(
        digest: try FieldChecks.digest(header.digest, "digest of a file"),
        offset: try FieldChecks.count(header.offset, "offset of a part"),
        byteCount: try FieldChecks.count(
          header.byte_count, "size of a part", atLeast: 1, atMost: Limits.chunkBytes))
    }
  }

  // MARK: Replies

  /// The frames of an answer to another worker.
  ///
  /// - Precondition: the offset is not negative, the bytes are none or 1…`Limits.chunkBytes`.
  public static func encode(_ reply: PeerReply) -> [[UInt8]] {
    let packing = HeaderPacking()
    let header = packing.part(Flap__PeerReply(), flap__peer_reply__init) {
      $0.digest = packing.data(reply.digest.bytes)
      $0.offset = UInt64(reply.offset)
      $0.is_there = reply.bytes == nil ? 0 : 1
    }
    let frame = packing.pack(
      header, flap__peer_reply__get_packed_size, flap__peer_reply__pack)
    guard let bytes = reply.bytes else { return [frame] }
    precondition((1...Limits.chunkBytes).contains(bytes.count), "A part fits one raw frame.")
    return [frame, bytes]
  }

  /// The answer that these frames hold; to which request, ``PeerReply/check(answers:)`` tells.
  public static func decodePeerReply(_ frames: [[UInt8]]) throws(WireError) -> PeerReply {
    try FieldChecks.frames(frames)
    return try withUnpackedHeader(frames[0], flap__peer_reply__unpack) {
      (header: Flap__PeerReply) throws(WireError) in
      let isThere = header.is_there != 0
      guard frames.count == (isThere ? 2 : 1) else { throw .frameCount(found: frames.count) }
      if isThere, frames[1].isEmpty { throw .invalid(field: "part", reason: "empty") }
      return PeerReply(
        digest: try FieldChecks.digest(header.digest, "digest of a file"),
        offset: try FieldChecks.count(header.offset, "offset of a part"),
        bytes: isThere ? frames[1] : nil)
    }
  }
}
