//! Features of leaves 1 and 0x80000001.
//!
//! Each line is a feature's name, its bit, who is shown it, and which extended state it works on. Names and bits are those of
//! the public header `arch-x86/cpufeatureset.h`; AMX, LA57, XFD and a few more are of the manuals.

use super::features;

features! {
    BASIC:
    FPU = 0, 0, Both, Nothing;
    VME = 0, 1, No, Nothing;
    DE = 0, 2, Both, Nothing;
    PSE = 0, 3, No, Nothing;
    TSC = 0, 4, Both, Nothing;
    MSR = 0, 5, Both, Nothing;
    PAE = 0, 6, Both, Nothing;
    MCE = 0, 7, Both, Nothing;
    CX8 = 0, 8, Both, Nothing;
    APIC = 0, 9, Both, Nothing;
    SEP = 0, 11, Intel, Nothing;
    MTRR = 0, 12, No, Nothing;
    PGE = 0, 13, No, Nothing;
    MCA = 0, 14, Both, Nothing;
    CMOV = 0, 15, Both, Nothing;
    PAT = 0, 16, Both, Nothing;
    PSE36 = 0, 17, No, Nothing;
    CLFLUSH = 0, 19, Both, Nothing;
    DS = 0, 21, No, Nothing;
    ACPI = 0, 22, Both, Nothing;
    MMX = 0, 23, Both, Nothing;
    FXSR = 0, 24, Both, Nothing;
    SSE = 0, 25, Both, Nothing;
    SSE2 = 0, 26, Both, Nothing;
    SS = 0, 27, Both, Nothing;
    HTT = 0, 28, AsHost, Nothing;
    TM1 = 0, 29, No, Nothing;
    PBE = 0, 31, No, Nothing;
    SSE3 = 1, 0, Both, Nothing;
    PCLMULQDQ = 1, 1, Both, Nothing;
    DTES64 = 1, 2, No, Nothing;
    MONITOR = 1, 3, No, Nothing;
    DSCPL = 1, 4, No, Nothing;
    VMX = 1, 5, No, Nothing;
    SMX = 1, 6, No, Nothing;
    EIST = 1, 7, No, Nothing;
    TM2 = 1, 8, No, Nothing;
    SSSE3 = 1, 9, Both, Nothing;
    CNXT_ID = 1, 10, No, Nothing;
    FMA = 1, 12, Both, Avx;
    CX16 = 1, 13, Both, Nothing;
    XTPR = 1, 14, No, Nothing;
    PDCM = 1, 15, No, Nothing;
    PCID = 1, 17, No, Nothing;
    DCA = 1, 18, No, Nothing;
    SSE4_1 = 1, 19, Both, Nothing;
    SSE4_2 = 1, 20, Both, Nothing;
    X2APIC = 1, 21, No, Nothing;
    MOVBE = 1, 22, Both, Nothing;
    POPCNT = 1, 23, Both, Nothing;
    TSC_DEADLINE = 1, 24, No, Nothing;
    AESNI = 1, 25, Both, Nothing;
    XSAVE = 1, 26, Both, Nothing;
    OSXSAVE = 1, 27, Asked, Xsave;
    AVX = 1, 28, Both, Xsave;
    F16C = 1, 29, Both, Avx;
    RDRAND = 1, 30, Both, Nothing;
    HYPERVISOR = 1, 31, Always, Nothing;
    SYSCALL = 2, 11, Both, Nothing;
    NX = 2, 20, Both, Nothing;
    MMXEXT = 2, 22, Both, Nothing;
    FFXSR = 2, 25, Both, Nothing;
    PAGE1GB = 2, 26, No, Nothing;
    RDTSCP = 2, 27, Both, Nothing;
    LM = 2, 29, Both, Nothing;
    AMD_3DNOW_EXT = 2, 30, Both, Nothing;
    AMD_3DNOW = 2, 31, Both, Nothing;
    LAHF_LM = 3, 0, Both, Nothing;
    CMP_LEGACY = 3, 1, AsHost, Nothing;
    SVM = 3, 2, No, Nothing;
    EXTAPIC = 3, 3, No, Nothing;
    CR8_LEGACY = 3, 4, No, Nothing;
    ABM = 3, 5, Both, Nothing;
    SSE4A = 3, 6, Both, Nothing;
    MISALIGNSSE = 3, 7, Both, Nothing;
    AMD_3DNOW_PREFETCH = 3, 8, Both, Nothing;
    OSVW = 3, 9, No, Nothing;
    IBS = 3, 10, No, Nothing;
    XOP = 3, 11, Both, Avx;
    SKINIT = 3, 12, No, Nothing;
    WDT = 3, 13, No, Nothing;
    LWP = 3, 15, No, Xsave;
    FMA4 = 3, 16, Both, Avx;
    NODEID_MSR = 3, 19, No, Nothing;
    TBM = 3, 21, Both, Nothing;
    TOPOEXT = 3, 22, No, Nothing;
    PERFCTR_CORE = 3, 23, No, Nothing;
    DBEXT = 3, 26, No, Nothing;
    MONITORX = 3, 29, No, Nothing;
}
