public import FlapCore

/// What a search leaves as it is, or takes a given share of: for those who know where a model is
/// sensitive.
public struct Sparing: Hashable, Sendable {
  /// A share of one kind of module.
  public struct ModuleRatio: Hashable, Sendable {
    /// Of which kind.
    public var tap: Tap
    /// Part of these modules' linear parameters, in all layers together, to remove.
    public var ratio: Double

    public init(tap: Tap, ratio: Double) {
      self.tap = tap
      self.ratio = ratio
    }
  }

  /// Layers that keep all of their units. They count in the ratio: the others lose more.
  public var layers: Set<Int>
  /// Known of one kind of module, and so of the other, which loses what is left of the ratio; nil:
  /// the search shares it.
  public var moduleRatio: ModuleRatio?

  public init(layers: Set<Int> = [], moduleRatio: ModuleRatio? = nil) {
    self.layers = layers
    self.moduleRatio = moduleRatio
  }

  /// That was given of a kind of module; nil: none.
  public func ratio(of tap: Tap) -> Double? { moduleRatio?.tap == tap ? moduleRatio?.ratio : nil }

  /// For people, without an end; nil where nothing is spared.
  public var text: String? {
    let kept =
      layers.isEmpty
      ? nil
      : (layers.count == 1 ? "layer " : "layers ") + LayerNumbers.text(layers)
        + (layers.count == 1 ? " keeps" : " keep") + " all heads and neurons"
    let given = moduleRatio.map { given in
      let percent = (given.ratio * 10_000).rounded() / 100
      return (given.tap == .mlpDown ? "the MLPs' share" : "attention's share")
        + " of what goes was given: \(percent) % of its parameters"
    }
    let parts = [kept, given].compactMap(\.self)
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}

/// The layers that a search may touch, as a model of their own, with the ratios that make those of the
/// whole model.
struct SearchSpace {
  /// Ascending.
  let layers: [Int]
  let shape: ModelShape
  let sparing: Sparing
  private let whole: ModelShape
  /// Parameters of the whole model ÷ those of these layers.
  private let scale: Double
  private let moduleScale: PerTap<Double>

  /// - Throws: if there is no such layer, or the rules on widths do not allow one to stay as it is.
  init(_ sparing: Sparing, of whole: ModelShape, _ widths: WidthRules) throws(PruningError) {
    if let layer = sparing.layers.sorted().first(where: { !whole.layers.indices.contains($0) }) {
      throw .noSuchLayer(layer, layerCount: whole.layers.count)
    }
    guard !widths.isUniform else { throw .sparedLayersDiffer }
    for layer in sparing.layers.sorted() {
      for tap in Tap.allCases {
        let found = whole.unitCount(layer: layer, tap: tap)
        let multiple = widths.multiple(at: tap)
        guard found % multiple == 0 else {
          throw .sparedUnits(layer: layer, tap, found: found, multiple: multiple)
        }
      }
    }
    layers = whole.layers.indices.filter { !sparing.layers.contains($0) }
    var shape = whole
    shape.layers = layers.map { whole.layers[$0] }
    let part = shape
    let moduleScale = PerTap { tap in
      part.layers.isEmpty
        ? 1 : Double(whole.unitCosts(tap: tap)) / Double(part.unitCosts(tap: tap))
    }
    scale =
      part.layers.isEmpty
      ? 1 : Double(whole.decoderParameterCount) / Double(part.decoderParameterCount)
    self.moduleScale = moduleScale
    self.sparing = Sparing(
      moduleRatio: sparing.moduleRatio.map {
        Sparing.ModuleRatio(tap: $0.tap, ratio: $0.ratio * moduleScale[$0.tap])
      })
    self.shape = shape
    self.whole = whole
  }

  /// Of these layers, for one of the whole model.
  ///
  /// - Throws: if they have not so much.
  func ratio(_ ratio: Double) throws(PruningError) -> Double {
    guard ratio * scale < 1, ratio == 0 || !layers.isEmpty else {
      let largest = layers.isEmpty ? 0 : UnitBudget(shape: shape).largestReachableRatio / scale
      throw .ratioUnreachableSparing(asked: ratio, largestReachable: largest)
    }
    return ratio * scale
  }

  /// One value for each layer of the whole model.
  func spread<Value>(_ values: [Value], others: (_ layer: Int) -> Value) -> [Value] {
    var values = values[...]
    return whole.layers.indices.map { sparing(layer: $0) ? others($0) : values.removeFirst() }
  }

  private func sparing(layer: Int) -> Bool { !layers.contains(layer) }

  /// The same in terms of the whole model.
  func error(_ error: PruningError, asked ratio: Double) -> PruningError {
    switch error {
    case .ratioUnreachable(_, let largest):
      .ratioUnreachableSparing(asked: ratio, largestReachable: largest / scale)
    case .ratioMissed(_, let nearest): .ratioMissed(asked: ratio, nearest: nearest / scale)
    case .groupsExceedRatio(_, let reached):
      .groupsExceedRatio(asked: ratio, reached: reached / scale)
    case .moduleRatioUnreachable(let tap, let needed, let largest):
      .moduleRatioUnreachable(
        tap, needed: needed / moduleScale[tap], largest: largest / moduleScale[tap])
    case .tooFewUnits(let layer, let tap, let found, let multiple):
      .tooFewUnits(layer: layers[layer], tap, found: found, multiple: multiple)
    default: error
    }
  }
}

extension ModelShape {
  /// Parameters ÷ hidden size of all units at a tap.
  func unitCosts(tap: Tap) -> Int {
    layers.indices.reduce(0) {
      $0 + unitCost(layer: $1, tap: tap) * unitCount(layer: $1, tap: tap)
    }
  }
}

extension Sparing {
  /// Part of each kind of module's parameters that goes, so that the ratio of all does.
  ///
  /// - Returns: nil where none of them is given.
  /// - Throws: if a kind cannot lose that much, or would have to gain.
  func moduleRatios(_ ratio: Double, of shape: ModelShape) throws(PruningError) -> PerTap<Double>? {
    guard let given = moduleRatio else { return nil }
    let costs = PerTap { shape.unitCosts(tap: $0) }
    let total = costs[.attentionOutput] + costs[.mlpDown]
    let other = Tap.allCases.first { $0 != given.tap }!
    let rest = ratio * Double(total) - given.ratio * Double(costs[given.tap])
    // What is left of the ratio may miss 0 by the rounding of a product.
    let share = rest / Double(costs[other])
    let ratios = PerTap { tap in
      tap == given.tap ? given.ratio : share.magnitude < 0x1p-40 ? 0 : share
    }
    for tap in [given.tap, other] {
      let least = shape.layers.indices.reduce(0) { $0 + shape.unitCost(layer: $1, tap: tap) }
      let largest = Double(costs[tap] - least) / Double(costs[tap])
      guard (0...largest).contains(ratios[tap]) else {
        throw .moduleRatioUnreachable(tap, needed: ratios[tap], largest: largest)
      }
    }
    return ratios
  }
}
