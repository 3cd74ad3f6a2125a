internal import CFlapMessages
internal import CProtobufC
public import Coordination
internal import FlapCore
internal import Statistics

/// The reports on sums, which hold no numbers but where those are.
extension WireCodec {
  public static func encode(_ sums: [HeldSum]) -> [UInt8] {
    let packing = HeaderPacking()
    let header = packing.part(Flap__HeldSums(), flap__held_sums__init) {
      ($0.sums, $0.n_sums) = packing.parts(
        sums.map { sum in
          packing.part(Flap__HeldSum(), flap__held_sum__init) {
            $0.layer = UInt32(sum.place.layer)
            $0.tap = UInt32(sum.place.tap.rawValue)
            $0.kind = UInt32(sum.kind.rawValue)
            $0.digest = packing.data(sum.digest.bytes)
          }
        })
    }
    return packing.pack(header, flap__held_sums__get_packed_size, flap__held_sums__pack)
  }

  public static func decodeHeldSums(_ bytes: [UInt8]) throws(WireError) -> [HeldSum] {
    try withUnpackedHeader(bytes, flap__held_sums__unpack) {
      (header: Flap__HeldSums) throws(WireError) in
      var sums: [HeldSum] = []
      for index in 0..<header.n_sums {
        guard let sum = header.sums[index]?.pointee else { throw .missing(field: "sum") }
        guard let kind = SumKind(rawValue: Int(sum.kind)) else {
          throw .invalid(field: "kind of a sum", reason: "\(sum.kind)")
        }
        sums.append(
          HeldSum(
            try FieldChecks.place(layer: sum.layer, tap: sum.tap), kind,
            try FieldChecks.digest(sum.digest, "digest of a sum")))
      }
      return sums
    }
  }

  public static func encode(_ outcome: MergeOutcome) -> [UInt8] {
    let packing = HeaderPacking()
    let header = packing.part(Flap__MergeOutcome(), flap__merge_outcome__init) {
      switch outcome {
      case .merged(let tokenCount, let heldOutTokenCount):
        $0.token_count = UInt64(tokenCount)
        $0.held_out_token_count = UInt64(heldOutTokenCount)
      case .lost(let digests):
        let told = digests.prefix(largestLossCount)
        $0.lost = packing.data(told.map(\.bytes))
        $0.n_lost = told.count
      }
    }
    return packing.pack(
      header, flap__merge_outcome__get_packed_size, flap__merge_outcome__pack)
  }

  /// What is lost beyond these is found again the next time.
  private static let largestLossCount = 1024

  public static func decodeMergeOutcome(_ bytes: [UInt8]) throws(WireError) -> MergeOutcome {
    try withUnpackedHeader(bytes, flap__merge_outcome__unpack) {
      (header: Flap__MergeOutcome) throws(WireError) in
      guard header.n_lost == 0 else {
        var lost: [Digest] = []
        for index in 0..<header.n_lost {
          lost.append(try FieldChecks.digest(header.lost[index], "digest of a sum"))
        }
        return .lost(lost)
      }
      return .merged(
        tokenCount: try FieldChecks.count(header.token_count, "count of tokens", atLeast: 1),
        heldOutTokenCount: try FieldChecks.count(
          header.held_out_token_count, "count of tokens held out"))
    }
  }
}
