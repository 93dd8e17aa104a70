//! Which features are nothing without others (Intel SDM volume 1, chapters 9 to 15; AMD64 manual volume 3, appendix D).

use super::{feature, Feature, FeatureSet};

/// A feature, and what is nothing without it.
type Dependence = (Feature, &'static [Feature]);

/// In an order in which what is taken away early takes away what depends on it later.
const DEPENDENCIES: &[Dependence] = &[
    (
        feature::FPU,
        &[feature::MMX, feature::FXSR, feature::SSE, feature::XSAVE],
    ),
    (
        feature::MMX,
        &[feature::MMXEXT, feature::AMD_3DNOW, feature::AMD_3DNOW_EXT],
    ),
    (feature::AMD_3DNOW, &[feature::AMD_3DNOW_EXT]),
    (feature::FXSR, &[feature::FFXSR, feature::SSE]),
    (
        feature::SSE,
        &[feature::SSE2, feature::MISALIGNSSE, feature::XSAVE],
    ),
    (
        feature::SSE2,
        &[
            feature::SSE3,
            feature::LM,
            feature::AESNI,
            feature::PCLMULQDQ,
            feature::SHA,
            feature::GFNI,
        ],
    ),
    (
        feature::SSE3,
        &[feature::SSSE3, feature::SSE4_1, feature::SSE4A],
    ),
    (feature::SSE4_1, &[feature::SSE4_2]),
    (
        feature::XSAVE,
        &[
            feature::XSAVEOPT,
            feature::XSAVEC,
            feature::XGETBV1,
            feature::AVX,
            feature::MPX,
            feature::PKU,
        ],
    ),
    (
        feature::AVX,
        &[
            feature::FMA,
            feature::F16C,
            feature::AVX2,
            feature::XOP,
            feature::FMA4,
        ],
    ),
    (
        feature::AVX2,
        &[
            feature::AVX512F,
            feature::VAES,
            feature::VPCLMULQDQ,
            feature::AVX_VNNI,
        ],
    ),
    (
        feature::AVX512F,
        &[
            feature::AVX512DQ,
            feature::AVX512_IFMA,
            feature::AVX512PF,
            feature::AVX512ER,
            feature::AVX512CD,
            feature::AVX512BW,
            feature::AVX512VL,
            feature::AVX512_VBMI,
            feature::AVX512_VNNI,
            feature::AVX512_VPOPCNTDQ,
            feature::AVX512_4VNNIW,
            feature::AVX512_4FMAPS,
            feature::AVX512_VP2INTERSECT,
        ],
    ),
    (
        feature::AVX512BW,
        &[
            feature::AVX512_VBMI2,
            feature::AVX512_BITALG,
            feature::AVX512_BF16,
            feature::AVX512_FP16,
        ],
    ),
    (
        feature::LM,
        &[
            feature::LAHF_LM,
            feature::CX16,
            feature::PAGE1GB,
            feature::PCID,
        ],
    ),
    (feature::IBRSB, &[feature::STIBP, feature::SSBD]),
];

/// Takes out of a set what is nothing without features that are not in it.
pub(crate) fn remove_dependent(set: &mut FeatureSet) {
    for (needed, dependent) in DEPENDENCIES {
        if !needed.is_in(set) {
            for feature in *dependent {
                feature.put(set, false);
            }
        }
    }
}
