import Coordination
import FlapCore
import Statistics
import Testing
import Wire

@Suite struct RoundTripTests {
  @Test(arguments: Samples.workerMessages)
  func workerMessagesComeBack(_ message: WorkerMessage) throws {
    let frames = WireCodec.encode(message)
    expectWithinLimits(frames)
    #expect(try WireCodec.decodeWorkerMessage(frames) == message)
  }

  @Test(arguments: Samples.coordinatorMessages)
  func coordinatorMessagesComeBack(_ message: CoordinatorMessage) throws {
    let frames = WireCodec.encode(message)
    expectWithinLimits(frames)
    #expect(try WireCodec.decodeCoordinatorMessage(frames) == message)
  }

  @Test(arguments: Samples.peerRequests)
  func peerRequestsComeBack(_ request: PeerRequest) throws {
    let frames = WireCodec.encode(request)
    expectWithinLimits(frames)
    #expect(try WireCodec.decodePeerRequest(frames) == request)
  }

  @Test(arguments: Samples.peerReplies)
  func peerRepliesComeBack(_ reply: PeerReply) throws {
    let frames = WireCodec.encode(reply)
    expectWithinLimits(frames)
    #expect(try WireCodec.decodePeerReply(frames) == reply)
  }

  @Test func reportsOnSumsComeBack() throws {
    let digest = Samples.digest
    let all = (0..<80).flatMap { layer in
      Tap.allCases.map { HeldSum(TapPlace(layer: layer, $0), .heldOut, digest) }
    }
    for sums in [[], [HeldSum(TapPlace(layer: 0, .mlpDown), .targets, digest)], all] {
      #expect(try WireCodec.decodeHeldSums(WireCodec.encode(sums)) == sums)
    }
    for outcome in [
      MergeOutcome.merged(tokenCount: 1 << 40, heldOutTokenCount: 0),
      .lost([digest, Digest(bytes: [UInt8](repeating: 0, count: 32))!]),
    ] {
      #expect(try WireCodec.decodeMergeOutcome(WireCodec.encode(outcome)) == outcome)
    }
    #expect(throws: WireError.self) {
      try WireCodec.decodeMergeOutcome(
        WireCodec.encode(.merged(tokenCount: 0, heldOutTokenCount: 0)))
    }
    for garbage in [[0xFF], [0x0A, 0x02, 0x18, 0x07]] as [[UInt8]] {
      #expect(throws: WireError.self) { try WireCodec.decodeHeldSums(garbage) }
    }
  }

  @Test func tokensAreLittleEndianAfterTheHeader() {
    let frames = WireCodec.encode(
      .assign(
        Assignment(
          attempt: Samples.attempt, work: .measureSamples([ChannelMoments.kind], Samples.smallUnit),
          serial: 1))
    )
    #expect(frames.count == 2)
    #expect(Array(frames[1].prefix(8)) == [0, 0, 0, 0, 0x00, 0x3B, 0x58, 0x08])
  }

  /// A header as protoc 3.21.12 encodes it: `accepted { task: 300 attempt: 1 }`.
  @Test func headerIsProtobuf() throws {
    let header: [UInt8] = [0x1A, 0x05, 0x08, 0xAC, 0x02, 0x10, 0x01]
    let message = WorkerMessage.accepted(TaskAttempt(task: TaskID(300), attempt: 1))
    #expect(WireCodec.encode(message) == [header])
    #expect(try WireCodec.decodeWorkerMessage([header]) == message)
  }

  @Test func longReasonsAreCutBetweenCharacters() throws {
    let frames = WireCodec.encode(.bye(reason: "a" + String(repeating: "ä", count: 100_000)))
    let expected = WorkerMessage.bye(reason: "a" + String(repeating: "ä", count: 999) + "…")
    #expect(try WireCodec.decodeWorkerMessage(frames) == expected)
  }

  @Test func headersOfTheOtherSideAreNotTaken() throws {
    // The header of a welcome begins as that of a hello does; its parts do not fit.
    #expect(throws: WireError.self) {
      try WireCodec.decodeWorkerMessage(WireCodec.encode(Samples.coordinatorMessages[0]))
    }
    #expect(throws: WireError.self) {
      try WireCodec.decodeCoordinatorMessage(WireCodec.encode(Samples.workerMessages[0]))
    }
  }

  private func expectWithinLimits(_ frames: [[UInt8]]) {
    #expect(frames.count <= Limits.framesPerMessage)
    #expect(frames[0].count <= Limits.headerFrameBytes)
    #expect(frames.dropFirst().allSatisfy { (1...Limits.chunkBytes).contains($0.count) })
  }
}
