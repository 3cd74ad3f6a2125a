import FlapCore
import Testing
import Wire

/// Plans that put means in the places of experts.
struct ReplacedExpertPlanTests {
  @Test func meansComeBack() throws {
    var shape = Samples.shape
    shape.layers[1].intermediateSize = 2
    shape.layers[1].experts = ExpertsShape(count: 8, countPerToken: 2)
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[1].remove(experts: [1, 6])
    plan.layers[1].replacesExperts = true
    let means = [1, 6].map { expert in
      (0..<shape.hiddenSize).map { Double(expert) + Double($0) / 3 }
    }
    let sent = WritePlan(plan: plan, expertMeans: [[], means])
    let bytes = sent.bytes(shape: shape)
    #expect(bytes[0] == 2)
    #expect(try WritePlan(bytes: bytes, shape: shape) == sent)

    for wrong in [Array(bytes.dropLast()), Array(bytes.dropLast(8)), bytes + [0]] {
      #expect(throws: WireError.self) { try WritePlan(bytes: wrong, shape: shape) }
    }
    var infinite = bytes
    infinite.replaceSubrange(bytes.count - 8..<bytes.count, with: [0, 0, 0, 0, 0, 0, 0xF0, 0x7F])
    #expect(throws: WireError.self) { try WritePlan(bytes: infinite, shape: shape) }
    // Experts that go, with nothing in their places: other bytes than these.
    var removed = bytes
    removed[0] = 0
    #expect(throws: WireError.self) { try WritePlan(bytes: removed, shape: shape) }
    removed[0] = 4
    #expect(throws: WireError.self) { try WritePlan(bytes: removed, shape: shape) }
  }
}
