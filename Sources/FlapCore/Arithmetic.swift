/// What a family computes otherwise than LLaMA; where nothing is said, it is as there.
public struct Arithmetic: Hashable, Sendable {
  /// What the gate's output goes through (`hidden_act`, `hidden_activation`).
  public enum Activation: String, Hashable, Sendable, CaseIterable {
    case silu
    /// GELU by its approximation with tanh (`gelu_pytorch_tanh`; arXiv 1606.08415).
    case geluTanh
  }

  /// Where the norms of a layer's halves stand.
  public enum NormPlacement: String, Hashable, Sendable, CaseIterable {
    /// Of what goes in (LLaMA).
    case before
    /// Of what comes out, before it is added to the stream (OLMo 2 and 3).
    case behind
    /// Of both (Gemma 3).
    case around
  }

  public var activation: Activation
  public var normPlacement: NormPlacement
  /// Norms multiply by 1 + weight (Gemma).
  public var addsOneToNorms: Bool
  /// Queries, and keys, of all heads of a layer are normalized together, by weights of all their
  /// channels (OLMo 2 and 3), and not head by head.
  public var normalizesHeadsTogether: Bool
  /// What the embedding is multiplied by (Gemma, Granite).
  public var embeddingScale: Double
  /// That factor has the type of the products' operands, as Gemma's has the type of the weights in
  /// transformers.
  public var roundsEmbeddingScale: Bool
  /// What queries · keys are multiplied by; nil: 1 / √(head dimension).
  public var attentionScale: Double?
  /// What attention's and MLP's outputs are multiplied by before they are added to the stream.
  public var residualScale: Double
  /// What logits are divided by.
  public var logitDivisor: Double
  /// c in c · tanh(logit / c) (`final_logit_softcapping`).
  public var logitCap: Double?

  public init(
    activation: Activation = .silu, normPlacement: NormPlacement = .before,
    addsOneToNorms: Bool = false, normalizesHeadsTogether: Bool = false,
    embeddingScale: Double = 1, roundsEmbeddingScale: Bool = false,
    attentionScale: Double? = nil, residualScale: Double = 1, logitDivisor: Double = 1,
    logitCap: Double? = nil
  ) {
    self.activation = activation
    self.normPlacement = normPlacement
    self.addsOneToNorms = addsOneToNorms
    self.normalizesHeadsTogether = normalizesHeadsTogether
    self.embeddingScale = embeddingScale
    self.roundsEmbeddingScale = roundsEmbeddingScale
    self.attentionScale = attentionScale
    self.residualScale = residualScale
    self.logitDivisor = logitDivisor
    self.logitCap = logitCap
  }
}
