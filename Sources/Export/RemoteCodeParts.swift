internal import Checkpoint

/// What a family's remote code has in place of parts of Llama's.
enum RemoteCodeParts {
  /// Parts in Llama's words, and what stands there instead, before the family's name is put in.
  static func of(_ family: ModelFamily) -> [(part: String, replacement: String)] {
    switch family {
    case .llama, .mistral, .mixtral, .qwen2, .qwen3, .qwen3Moe, .smollm3, .olmo2: []
    case .phi3: phi3
    case .gemma3: gemma3
    case .granite:
      [(rotary, rotary + "\n        self.embedding_multiplier = config.embedding_multiplier")]
    case .olmo3: olmo3
    }
  }

  private static let rotary = "        self.rotary_emb = LlamaRotaryEmbedding(config=config)"
  private static let imports = "\nfrom torch import nn\n"
  private static let scaling = """
                config_dict["rope_scaling"] = scaling if scaled else None
    """

  /// Its attention reads sizes from the configuration whenever it runs, and its configuration takes
  /// three fields of a scaling in transformers 4.57.
  private static let phi3: [(part: String, replacement: String)] = [
    (
      scaling,
      """
                  config_dict["partial_rotary_factor"] = rope.get("partial_rotary_factor", 1.0)
                  names = ("short_factor", "long_factor")
                  scaling = {"type": "longrope"} | {name: rope.get(name) for name in names}
                  config_dict["rope_scaling"] = scaling if scaled else None
      """
    ),
    ("    LlamaDecoderLayer,\n", "    LlamaAttention,\n    LlamaDecoderLayer,\n"),
    (
      "class FlapLlamaDecoderLayer(",
      """
      class FlapLlamaAttention(LlamaAttention):
          \"""Reads a layer's own sizes whenever it runs, and the kernel that the model has chosen.\"""

          def __init__(self, config, layer_idx):
              super().__init__(config.layer(layer_idx), layer_idx)
              self.shared = config

          def forward(self, *args, **kwargs):
              self.config._attn_implementation_internal = self.shared._attn_implementation
              return super().forward(*args, **kwargs)


      class FlapLlamaDecoderLayer(
      """
    ),
    (
      """
              # The choice of attention kernel is read from the model's own configuration later.
              self.self_attn.config = config

      """,
      "        self.self_attn = FlapLlamaAttention(config, layer_idx)\n"
    ),
  ]

  /// A scaled embedding, and in transformers 4.57 a rotary embedding of its own for layers with a
  /// window.
  private static let gemma3: [(part: String, replacement: String)] = [
    (imports, "\nimport copy\n\(imports)"),
    (
      "    LlamaRotaryEmbedding,\n",
      "    LlamaRotaryEmbedding,\n    LlamaTextScaledWordEmbedding,\n"
    ),
    (
      "nn.Embedding(config.vocab_size, config.hidden_size, self.padding_idx)",
      """
      LlamaTextScaledWordEmbedding(
                  config.vocab_size,
                  config.hidden_size,
                  self.padding_idx,
                  embed_scale=config.hidden_size**0.5,
              )
      """
    ),
    (
      rotary,
      """
              self.rotary_emb = LlamaRotaryEmbedding(config=config)
              if hasattr(self.rotary_emb, "inv_freq"):
                  # transformers 4.57; in 5 one module has the frequencies of both kinds of layers.
                  local = copy.deepcopy(config)
                  local.rope_theta = config.rope_local_base_freq
                  local.rope_scaling = {"rope_type": "default"}
                  self.rotary_emb_local = LlamaRotaryEmbedding(config=local)
      """
    ),
    (
      scaling,
      """
      \(scaling)
                  sliding = (config_dict["rope_parameters"].get("sliding_attention") or {})
                  config_dict.setdefault("rope_local_base_freq", sliding.get("rope_theta", 10000.0))
      """
    ),
    layered,
    theta(usual: "1000000.0"),
  ]

  /// In transformers 4.57 two rotary embeddings, in 5 one.
  private static let olmo3: [(part: String, replacement: String)] = [
    (imports, "\nimport inspect\n\(imports)"),
    (
      rotary,
      """
              if "rope_type" in inspect.signature(LlamaRotaryEmbedding.__init__).parameters:
                  # transformers 4.57.
                  self.rotary_embs = nn.ModuleDict(
                      {
                          "sliding_attention": LlamaRotaryEmbedding(config=config, rope_type="default"),
                          "full_attention": LlamaRotaryEmbedding(config=config),
                      }
                  )
              else:
                  self.rotary_emb = LlamaRotaryEmbedding(config=config)
      """
    ),
    layered,
    theta(usual: "500000.0"),
  ]

  /// `rope_parameters` of both kinds of layers: of full attention are those that 4.57 reads.
  private static let layered = (
    part: "rope = config_dict.get(\"rope_parameters\")",
    replacement: "rope = (config_dict.get(\"rope_parameters\") or {}).get(\"full_attention\")"
  )

  private static func theta(usual: String) -> (part: String, replacement: String) {
    ("rope.get(\"rope_theta\", 10000.0)", "rope.get(\"rope_theta\", \(usual))")
  }
}
