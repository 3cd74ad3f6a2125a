public import Checkpoint

/// The two Python files that let transformers load layers of unequal sizes, or experts of which some have
/// means in their places.
///
/// They are written for Llama. The families' classes have the same names but for the beginning and
/// the same parts, so that for another one only its name is put in; what a family has besides is put
/// in the place of Llama's (`RemoteCodeParts.swift`).
public enum RemoteCode {
  public static func files(for family: ModelFamily) -> [(name: String, bytes: [UInt8])] {
    [
      ("configuration_flap.py", PackageResources.configuration_flap_py),
      (
        "modeling_flap.py",
        family.hasExperts
          ? PackageResources.modeling_flap_experts_py : PackageResources.modeling_flap_py
      ),
    ].map { ($0, naming(family, in: $1)) }
  }

  private static func naming(_ family: ModelFamily, in bytes: [UInt8]) -> [UInt8] {
    let llama = ModelFamily.llama
    var text = String(decoding: bytes, as: UTF8.self)
    for (part, replacement) in RemoteCodeParts.of(family) {
      text = text.replacing(part, with: replacement)
    }
    text =
      text
      .replacing("Flap\(llama.className)", with: "Flap<>")
      .replacing("\(llama.className)Config", with: family.configurationClass)
      .replacing("\(llama.className)Model", with: family.modelClass)
      .replacing("Flap<>", with: "Flap\(family.className)")
      .replacing(llama.className, with: family.className)
      .replacing("flap_\(llama.modelType)", with: "flap_\(family.modelType)")
      .replacing(llama.modelType, with: family.moduleName)
    return Array(text.utf8)
  }
}

extension ModelFamily {
  /// Of the configuration in transformers.
  fileprivate var configurationClass: String {
    self == .gemma3 ? "Gemma3TextConfig" : "\(className)Config"
  }

  /// Of the decoder in transformers.
  fileprivate var modelClass: String { self == .gemma3 ? "Gemma3TextModel" : "\(className)Model" }

  /// `transformers.models.` before it.
  fileprivate var moduleName: String { self == .gemma3 ? "gemma3" : modelType }
}
