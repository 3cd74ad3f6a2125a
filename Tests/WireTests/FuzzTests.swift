import FlapCore
import FlapTestKit
import Glibc
import Testing
import Wire

/// Whatever the bytes, decoding gives a message or throws. FLAP_FUZZ_COUNT sets how many inputs
/// each test tries; the seed is fixed, so a failure comes again.
@Suite struct FuzzTests {
  private let inputCount =
    getenv("FLAP_FUZZ_COUNT").flatMap { Int(String(cString: $0)) } ?? 10_000

  @Test func randomHeaders() {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<inputCount {
      let count = Int.random(in: 0...200, using: &generator)
      decode([(0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }])
    }
  }

  @Test func mutatedHeaders() {
    let worker = Samples.workerMessages.map(WireCodec.encode)
    let coordinator = Samples.coordinatorMessages.map(WireCodec.encode)
    let peers =
      Samples.peerRequests.map(WireCodec.encode) + Samples.peerReplies.map(WireCodec.encode)
    // Large raw frames are only copied: left out for speed.
    let originals = (worker + coordinator + peers).filter {
      $0.dropFirst().allSatisfy { $0.count < 100 }
    }
    var generator = SeededGenerator(seed: 2)
    var decodedCount = 0
    for _ in 0..<inputCount {
      var frames = originals.randomElement(using: &generator)!
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<frames.count, using: &generator)
        mutate(&frames[index], with: originals, &generator)
      }
      if generator.chance(0.05) { frames.append([1, 2, 3, 4]) }
      if decode(frames) { decodedCount += 1 }
    }
    // Mutations that are mild enough to pass the outer checks reach the inner ones.
    #expect(decodedCount > inputCount / 20)
  }

  @Test func mutatedPlans() {
    let plan = WritePlan(plan: PruningPlan(keepingAllOf: Samples.shape))
    let original = [plan.bytes(shape: Samples.shape)]
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<inputCount {
      var bytes = original[0]
      mutate(&bytes, with: [original], &generator)
      if let decoded = try? WritePlan(bytes: bytes, shape: Samples.shape) {
        #expect(decoded.plan.layers.count == 2)
      }
    }
  }

  /// - Returns: whether any side takes the frames. What is taken can be sent on and comes back
  ///   the same.
  @discardableResult
  private func decode(_ frames: [[UInt8]]) -> Bool {
    var isTaken = false
    if let message = try? WireCodec.decodeWorkerMessage(frames) {
      isTaken = true
      let again = try? WireCodec.decodeWorkerMessage(WireCodec.encode(message))
      #expect(again == message)
    }
    if let message = try? WireCodec.decodeCoordinatorMessage(frames) {
      isTaken = true
      let again = try? WireCodec.decodeCoordinatorMessage(WireCodec.encode(message))
      #expect(again == message)
    }
    if let request = try? WireCodec.decodePeerRequest(frames) {
      isTaken = true
      #expect((try? WireCodec.decodePeerRequest(WireCodec.encode(request))) == request)
    }
    if let reply = try? WireCodec.decodePeerReply(frames) {
      isTaken = true
      #expect((try? WireCodec.decodePeerReply(WireCodec.encode(reply))) == reply)
    }
    return isTaken
  }

  private func mutate(
    _ frame: inout [UInt8], with originals: [[[UInt8]]], _ generator: inout SeededGenerator
  ) {
    guard !frame.isEmpty else {
      frame = [UInt8.random(in: 0...255, using: &generator)]
      return
    }
    let index = Int.random(in: 0..<frame.count, using: &generator)
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: frame[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: frame[index] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator)!
    case 2: frame.insert(UInt8.random(in: 0...255, using: &generator), at: index)
    case 3: frame.remove(at: index)
    case 4: frame.removeLast(frame.count - index)
    default: frame.append(contentsOf: originals.randomElement(using: &generator)![0])
    }
  }
}
