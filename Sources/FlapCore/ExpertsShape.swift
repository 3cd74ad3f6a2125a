/// The experts of a layer: MLPs of one size, of which a router picks some for each token (arXiv
/// 1701.06538; in the manner of Mixtral, arXiv 2401.04088, and Qwen3-MoE, arXiv 2505.09388).
///
/// A token's gates are the softmax of the router's logits over all experts; it goes through the
/// experts with the largest, and their outputs are added, each times its gate.
public struct ExpertsShape: Hashable, Sendable {
  /// `num_experts` or `num_local_experts`.
  public var count: Int
  /// `num_experts_per_tok`: experts that a token goes through.
  public var countPerToken: Int
  /// `norm_topk_prob`: whether the gates of a token's experts are divided by their sum.
  public var normalizesGates: Bool
  public var names: Names
  /// Experts of which only a mean output is left (MoNE, arXiv 2507.00390), by their numbers, rising: a
  /// token that is routed to one gets its gate times that.
  public var replaced: [Int]

  /// How checkpoints name the maps.
  public enum Names: String, Hashable, Sendable {
    /// `mlp.gate`, `mlp.experts.E.gate_proj`, `….up_proj`, `….down_proj`.
    case qwen
    /// `block_sparse_moe.gate`, `block_sparse_moe.experts.E.w1`, `….w3`, `….w2`.
    case mixtral
  }

  public init(
    count: Int, countPerToken: Int, normalizesGates: Bool = true, names: Names = .qwen,
    replaced: [Int] = []
  ) {
    self.count = count
    self.countPerToken = countPerToken
    self.normalizesGates = normalizesGates
    self.names = names
    self.replaced = replaced
  }

  /// Experts that have maps.
  public var computingCount: Int { count - replaced.count }
}
