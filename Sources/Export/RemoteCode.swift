public import Checkpoint

/// The two Python files that let transformers load layers of unequal sizes, or experts of which some have
/// means in their places.
///
/// They are written for Llama. The families' classes have the same names but for the beginning and
/// the same parts, so that for another one only its name is put in.
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
    let text = String(decoding: bytes, as: UTF8.self)
      .replacing(ModelFamily.llama.className, with: family.className)
      .replacing(ModelFamily.llama.modelType, with: family.modelType)
    return Array(text.utf8)
  }
}
