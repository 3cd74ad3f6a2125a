internal import FlapCore

/// A model's arithmetic as JSON in the metadata of result files; what is as in LLaMA is left out.
struct ArithmeticText: Codable {
  let activation: String?
  let normPlacement: String?
  let addsOneToNorms: Bool?
  let normalizesHeadsTogether: Bool?
  let embeddingScale: Double?
  let roundsEmbeddingScale: Bool?
  let attentionScale: Double?
  let residualScale: Double?
  let logitDivisor: Double?
  let logitCap: Double?

  init(_ arithmetic: Arithmetic) {
    let usual = Arithmetic()
    func named<Value: Equatable>(_ path: KeyPath<Arithmetic, Value>) -> Value? {
      arithmetic[keyPath: path] == usual[keyPath: path] ? nil : arithmetic[keyPath: path]
    }
    activation = named(\.activation)?.rawValue
    normPlacement = named(\.normPlacement)?.rawValue
    addsOneToNorms = named(\.addsOneToNorms)
    normalizesHeadsTogether = named(\.normalizesHeadsTogether)
    embeddingScale = named(\.embeddingScale)
    roundsEmbeddingScale = named(\.roundsEmbeddingScale)
    attentionScale = arithmetic.attentionScale
    residualScale = named(\.residualScale)
    logitDivisor = named(\.logitDivisor)
    logitCap = arithmetic.logitCap
  }

  /// nil: the text is of none.
  var arithmetic: Arithmetic? {
    var read = Arithmetic()
    if let activation {
      guard let known = Arithmetic.Activation(rawValue: activation) else { return nil }
      read.activation = known
    }
    if let normPlacement {
      guard let known = Arithmetic.NormPlacement(rawValue: normPlacement) else { return nil }
      read.normPlacement = known
    }
    read.addsOneToNorms = addsOneToNorms ?? false
    read.normalizesHeadsTogether = normalizesHeadsTogether ?? false
    read.embeddingScale = embeddingScale ?? 1
    read.roundsEmbeddingScale = roundsEmbeddingScale ?? false
    read.attentionScale = attentionScale
    read.residualScale = residualScale ?? 1
    read.logitDivisor = logitDivisor ?? 1
    read.logitCap = logitCap
    return read
  }
}
