internal import FlapCore
internal import Kernels

/// Layers with experts, as in transformers' `modeling_mixtral.py` and `modeling_qwen3_moe.py`.
extension Llama {
  /// x += Σ_e gate_e · (W_down,e · (SiLU(W_gate,e · n) · (W_up,e · n)) + b_e) over the experts that a token goes
  /// through, n = norm(x); x += gate_e · mean_e for those of which a mean is left.
  ///
  /// The sum over experts is taken in their order, whoever computes what.
  func experts(_ pass: LeafPass, _ experts: ExpertsShape) -> TapPassage {
    let normed = normalize(pass.index, pass.layout, pass.weights.mlpNorm, pass.lane)
    let routing = route(normed, pass, experts)
    let inputs = gather(normed, routing, pass.lane)
    let neurons = neurons(inputs, routing, pass)
    addOutputs(neurons, routing, pass)
    return passage(pass, neurons, routing)
  }

  // MARK: Routing

  /// The experts of every token, by the largest of the softmax of W_router · n.
  private func route(_ normed: RowTiles, _ pass: LeafPass, _ experts: ExpertsShape) -> Routing {
    guard let map = pass.packed.router, let scratch = pass.lane.scratch.experts else {
      preconditionFailure("a layer with experts has a router")
    }
    let count = experts.count
    let logits = scratch.logits.floats()  // [rows, experts]
    MatrixProduct.run(
      normed, rows: pass.layout.rowCount, MatrixProduct.Strip.covering(map), team: pass.lane.team,
      scratch: pass.lane.perThread.outputs
    ) { tile in
      for row in 0..<tile.rows.count {
        (logits + (tile.rows.lowerBound + row) * count + tile.outputs.lowerBound).update(
          from: tile.values() + row * tile.stride, count: tile.outputs.count)
      }
    }
    let segments = pass.layout.segments
    let chosen = pass.lane.team.map(.activation, taskCount: segments.count) { task in
      (0..<segments[task].positions.count).map { index in
        let row = segments[task].row + index
        let values = UnsafeMutableBufferPointer(start: logits + row * count, count: count)
        softmax(values)
        return (
          row: row,
          experts: ExpertChoice.largest(
            experts.countPerToken, of: values, normalizes: experts.normalizesGates)
        )
      }
    }
    return Routing(chosen.flatMap(\.self), expertCount: count, replaced: experts.replaced)
  }

  private func softmax(_ logits: UnsafeMutableBufferPointer<Float>) {
    let largest = logits.max() ?? 0
    for index in logits.indices { logits[index] -= largest }
    let tiny = subnormalExponentials(logits)
    Elementwise.exp(logits.baseAddress!, to: logits.baseAddress!, count: logits.count)
    for (index, value) in tiny { logits[index] = value }
    let sum = logits.reduce(0, +)
    for index in logits.indices { logits[index] /= sum }
  }

  /// The exponentials that are below all normal numbers, for which the kernel's are 0: they still tell which
  /// of two experts is the better, where only one has a gate to speak of.
  private func subnormalExponentials(
    _ logits: UnsafeMutableBufferPointer<Float>
  ) -> [(index: Int, value: Float)] {
    // The kernel ends a little above −126 · ln 2; 2⁻³⁴ takes what it can give to where floats end.
    guard let least = logits.min(), least < -87 else { return [] }
    var raised = logits.map { $0 + 34 * Float(0.693_147_18) }
    raised.withUnsafeMutableBufferPointer {
      Elementwise.exp($0.baseAddress!, to: $0.baseAddress!, count: $0.count)
    }
    return logits.indices.filter { logits[$0] < -87 }.map { ($0, raised[$0] * 0x1p-34) }
  }

  /// Every expert's tokens, [gathered rows, hidden].
  private func gather(_ normed: RowTiles, _ routing: Routing, _ lane: Lane) -> RowTiles {
    let gathered = RowTiles(
      compute, channels: normed.channels, at: lane.scratch.experts!.inputs.bytes)
    lane.team.run(.activation, taskCount: routing.visits.count) { expert, _ in
      guard !routing.isReplaced(expert) else { return }
      for (index, visit) in routing.visits[expert].enumerated() {
        gathered.copyRow(visit.row, of: normed, to: routing.firstRows[expert] + index)
      }
      let first = routing.firstRows[expert] + routing.visits[expert].count
      for row in first..<max(first, routing.firstRows[expert + 1]) { gathered.clearRow(row) }
    }
    return gathered
  }

  // MARK: Products

  /// SiLU(W_gate · n) · (W_up · n) of every expert, [gathered rows, intermediate].
  private func neurons(_ inputs: RowTiles, _ routing: Routing, _ pass: LeafPass) -> RowTiles {
    let lane = pass.lane
    let width = pass.weights.shape.intermediateSize
    let neurons = RowTiles(compute, channels: width, at: lane.scratch.experts!.neurons.bytes)
    let tasks = routing.byLoad.flatMap { expert in
      let maps = pass.packed.mlps[routing.places[expert]!]
      return MatrixProduct.Strip.covering(maps.gate, maps.up).map { (expert: expert, strip: $0) }
    }
    lane.team.run(.products, taskCount: tasks.count) { task, thread in
      let (expert, strip) = tasks[task]
      forTiles(of: expert, routing) { rows, visits in
        let tile = MatrixProduct.tile(
          inputs, rows: rows, strip, thread: thread, scratch: lane.perThread.outputs[thread])
        lane.team.enter(.activation, thread: thread)
        let (gate, up) = (tile.values(0), tile.values(1))
        Elementwise.swiGLU(
          gateBlock: gate, gateStride: tile.stride, up: up, upStride: tile.stride,
          rows: rows.count, columns: strip.outputs.count)
        tile.pack(gate, into: neurons)
        lane.team.enter(.observers, thread: thread)
        let piece = ExpertPiece(
          layer: pass.layer, expert: expert, lane: lane.index, thread: thread, visits: visits,
          routing: routing, width: width, channels: strip.outputs, values: gate,
          stride: tile.stride)
        for observer in pass.observers { observer.observe(neurons: piece) }
        lane.team.enter(.products, thread: thread)
      }
    }
    return neurons
  }

  /// x += gate · W_down · neurons, expert by expert: a task has some outputs of all experts.
  private func addOutputs(_ neurons: RowTiles, _ routing: Routing, _ pass: LeafPass) {
    let lane = pass.lane
    let hidden = shape.hiddenSize
    let x = scratch.residuals[pass.index].floats()  // [rows, hidden]
    let width = ExpertPiece.outputsPerStrip
    lane.team.run(.products, taskCount: (hidden + width - 1) / width) { strip, thread in
      let outputs = strip * width..<min((strip + 1) * width, hidden)
      for (expert, place) in routing.places.enumerated() {
        guard let place else {
          addMean(of: expert, outputs, to: x, routing, pass, thread)
          continue
        }
        let maps = pass.packed.mlps[place]
        let down = pass.weights.maps.mlps[place].down
        forTiles(of: expert, routing) { rows, visits in
          let tile = MatrixProduct.tile(
            neurons, rows: rows, MatrixProduct.Strip([maps.down], outputs: outputs),
            thread: thread, scratch: lane.perThread.outputs[thread])
          lane.team.enter(.activation, thread: thread)
          down.withBias { tile.add($0, to: tile.values()) }
          for (index, visit) in routing.visits[expert][visits].enumerated() {
            Elementwise.add(
              tile.values() + index * tile.stride, times: visit.gate,
              to: x + visit.row * hidden + outputs.lowerBound, count: outputs.count)
          }
          lane.team.enter(.observers, thread: thread)
          let piece = ExpertPiece(
            layer: pass.layer, expert: expert, lane: lane.index, thread: thread, visits: visits,
            routing: routing, width: hidden, channels: outputs, values: tile.values(),
            stride: tile.stride)
          for observer in pass.observers { observer.observe(outputs: piece) }
          lane.team.enter(.products, thread: thread)
        }
      }
    }
  }

  /// x += gate · mean, some outputs of an expert that has no maps. Observers are shown nothing: there is
  /// nothing that depends on a token.
  private func addMean(
    of expert: Int, _ outputs: Range<Int>, to x: UnsafeMutablePointer<Float>, _ routing: Routing,
    _ pass: LeafPass, _ thread: Int
  ) {
    guard let mean = pass.weights.means[expert] else {
      preconditionFailure("an expert has maps or a mean")
    }
    pass.lane.team.enter(.activation, thread: thread)
    mean.withUnsafeBufferPointer { mean in
      for visit in routing.visits[expert] {
        Elementwise.add(
          mean.baseAddress! + outputs.lowerBound, times: visit.gate,
          to: x + visit.row * mean.count + outputs.lowerBound, count: outputs.count)
      }
    }
    pass.lane.team.enter(.products, thread: thread)
  }

  /// An expert's gathered rows, an output tile's at a time.
  private func forTiles(
    of expert: Int, _ routing: Routing, _ body: (_ rows: Range<Int>, _ visits: Range<Int>) -> Void
  ) {
    let (first, end) = (routing.firstRows[expert], routing.firstRows[expert + 1])
    for row in stride(from: first, to: end, by: MatrixProduct.tileRows) {
      let rows = row..<min(row + MatrixProduct.tileRows, end)
      body(rows, row - first..<min(rows.upperBound - first, routing.visits[expert].count))
    }
  }

  /// Tells the observers that they have seen a leaf at the experts.
  private func passage(_ pass: LeafPass, _ neurons: RowTiles, _ routing: Routing) -> TapPassage {
    passage(
      pass, .mlpDown, RowTiles(compute, channels: 0, at: neurons.bytes),
      segmentCounts: [pass.layout.tokenCount],
      experts: ExpertPassage(routing: routing, operand: neurons, outputs: shape.hiddenSize))
  }
}
