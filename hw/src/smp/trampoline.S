// What a started processor runs first. Copied to a page below 1 MiB; real mode, cs = page / 16, ip = 0.

.set TRAMPOLINE_EFER, 0xc0000080
.set TRAMPOLINE_EFER_SCE_LME_NXE, 0x901
.set TRAMPOLINE_CR4_PAE, 0x20
.set TRAMPOLINE_CR0_PG_WP_ET_PE, 0x80010011

.section .rodata.trampoline, "a"
.balign 16
.global trampoline_start
trampoline_start:
.code16
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdt_pointer - trampoline_start
    movl $TRAMPOLINE_CR4_PAE, %eax
    movl %eax, %cr4
    movl $boot_level4, %eax
    movl %eax, %cr3
    movl $TRAMPOLINE_EFER, %ecx
    rdmsr
    orl $TRAMPOLINE_EFER_SCE_LME_NXE, %eax
    wrmsr
    movl $TRAMPOLINE_CR0_PG_WP_ET_PE, %eax
    movl %eax, %cr0                     // paging and protection at once: straight into 64-bit mode's compatibility part
    ljmpl *(trampoline_long_mode - trampoline_start)

.code64
trampoline_64:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movabsq $trampoline_high, %rax
    jmpq *%rax

.balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            // 8: 64-bit code
    .quad 0x00cf93000000ffff            // 16: data
trampoline_gdt_end:
trampoline_gdt_pointer:
    .short trampoline_gdt_end - trampoline_gdt - 1
.global trampoline_gdt_base
trampoline_gdt_base:
    .long trampoline_gdt - trampoline_start
.global trampoline_long_mode
trampoline_long_mode:
    .long trampoline_64 - trampoline_start
    .short 8
.global trampoline_end
trampoline_end:

.section .text.entry, "ax"
.balign 16
trampoline_high:
    leaq {handover}(%rip), %rbx
    movq 8(%rbx), %rsp
    movq 16(%rbx), %rax
    movl 24(%rbx), %edi
    movq 0(%rbx), %rcx
    movq %rcx, %cr3
    movl $1, {taken}(%rip)
    xorl %ebp, %ebp
    pushq $0                            // the backtrace ends here
    pushq $0
    callq *%rax
    ud2
.text
