import FlapCore
import Testing
import Wire

@Suite struct WritePlanTests {
  private let shape = Samples.shape

  private var plan: PruningPlan {
    PruningPlan(layers: [
      PruningPlan.Layer(
        keptGroups: [false, true], keptNeurons: (0..<11).map { $0 % 3 != 1 }),
      PruningPlan.Layer(
        keptGroups: [true, true, true], keptNeurons: (0..<16).map { $0 == 15 }),
    ])
  }

  private var writePlan: WritePlan {
    WritePlan(
      plan: plan,
      baselines: [
        PerTap(attentionOutput: [1, -2, 3, .pi], mlpDown: [0.5, 0, -0.0, 1e-300]),
        PerTap(attentionOutput: [], mlpDown: (0..<15).map { Double($0) }),
      ])
  }

  @Test func planComesBack() throws {
    let bytes = writePlan.bytes(shape: shape)
    // Flags: 2 bits, 11 bits, 3 bits, 16 bits, in whole bytes.
    #expect(bytes.count == 8 + (1 + 2) + 8 * 8 + (1 + 2) + 8 * 15)
    #expect(Array(bytes[8..<11]) == [0b10, 0b0110_1101, 0b011])
    #expect(try WritePlan(bytes: bytes, shape: shape) == writePlan)
  }

  @Test func expertsComeBack() throws {
    var shape = shape
    shape.layers[1].intermediateSize = 2
    shape.layers[1].experts = ExpertsShape(count: 8, countPerToken: 2)
    var plan = PruningPlan(keepingAllOf: shape)
    plan.layers[1].remove(experts: [1, 6])
    let bytes = WritePlan(plan: plan).bytes(shape: shape)
    #expect(bytes.last == 0b1011_1101)
    #expect(try WritePlan(bytes: bytes, shape: shape).plan == plan)
    // An expert that stays without its neurons.
    var wrong = bytes
    wrong[bytes.count - 1] = 0xFF
    #expect(throws: WireError.self) { try WritePlan(bytes: wrong, shape: shape) }
  }

  @Test func planWithoutCompensationHasNoBaselines() throws {
    let bare = WritePlan(plan: plan)
    let bytes = bare.bytes(shape: shape)
    #expect(bytes.count == 8 + 3 + 3)
    #expect(try WritePlan(bytes: bytes, shape: shape) == bare)
  }

  @Test(arguments: [1, 4, 8, 16]) func otherLengthsAreRefused(_ change: Int) {
    let bytes = writePlan.bytes(shape: shape)
    let longer = bytes + [UInt8](repeating: 0, count: change)
    for wrong in [[], Array(bytes.dropLast(change)), longer] {
      #expect(throws: WireError.self) { try WritePlan(bytes: wrong, shape: shape) }
    }
  }

  @Test(arguments: [Double.nan, .infinity]) func baselinesThatAreNotFiniteAreRefused(
    _ value: Double
  ) {
    var writePlan = writePlan
    writePlan.baselines?[0].mlpDown[1] = value
    #expect(throws: WireError.invalid(field: "baseline", reason: "\(value)")) {
      try WritePlan(bytes: writePlan.bytes(shape: shape), shape: shape)
    }
  }

  @Test func impossiblePlansAreRefused() {
    let bytes = WritePlan(plan: plan).bytes(shape: shape)
    var marked = bytes
    marked[0] = 2
    #expect(throws: WireError.invalid(field: "mark of baselines", reason: "2")) {
      try WritePlan(bytes: marked, shape: shape)
    }
    var beyond = bytes
    beyond[8] |= 0b100
    #expect(throws: WireError.invalid(field: "plan", reason: "flags beyond the last")) {
      try WritePlan(bytes: beyond, shape: shape)
    }
    var emptied = bytes
    emptied[11] = 0
    #expect(throws: WireError.invalid(field: "plan", reason: "layer 1 keeps nothing")) {
      try WritePlan(bytes: emptied, shape: shape)
    }
  }
}
