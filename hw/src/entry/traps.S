# Exceptions and interrupts. Each stub completes the frame of `Registers` and enters a common tail.

# A guest may have left AC set, which would keep guest memory open: `clac` where there is SMAP.
.macro PUSH_GENERAL
    PUSH_REGISTERS
    cld
    GUEST_ACCESS_END
.endm

.pushsection .text.entry, "ax", @progbits

# From a guest the frame lies at the stack's top and the way out is `exit_to_guest`; from the hypervisor
# itself (a guarded access that faulted, an interrupt in the idle loop) the way out is back.
.balign 64
page_fault_stub:
    mov dword ptr [rsp + 4], 14
    PUSH_GENERAL
    mov rdi, rsp
    mov rsi, cr2
    test byte ptr [rsp + 136], 3
    jz 1f
    SERVE {on_page_fault}
1:  call hypervisor_trap_aligned
    RETURN

.balign 64
trap_common:
    PUSH_GENERAL
    mov rdi, rsp
    xor esi, esi
    test byte ptr [rsp + 136], 3
    jz 1f
    SERVE {on_trap}
1:  call hypervisor_trap_aligned
    RETURN

.balign 64
interrupt_common:
    PUSH_GENERAL
    mov rdi, rsp
    test byte ptr [rsp + 136], 3
    jz 1f
    SERVE {on_interrupt}
1:  mov rbp, rsp
    and rsp, -16
    call [rip + {handlers} + {on_interrupt}]
    mov rsp, rbp
    RETURN

# Calls the handler of the hypervisor's own faults on an aligned stack. rbp was saved in the frame.
hypervisor_trap_aligned:
    mov rbp, rsp
    and rsp, -16
    call {hypervisor_trap}
    mov rsp, rbp
    ret

# Non-maskable interrupt and machine check: own stacks, straight back to whatever was interrupted.
nmi_stub:
    push 0
    mov dword ptr [rsp + 4], 2
    jmp own_stack_common
machine_check_stub:
    push 0
    mov dword ptr [rsp + 4], 18
    jmp own_stack_common
double_fault_stub:
    mov dword ptr [rsp + 4], 8
own_stack_common:
    PUSH_GENERAL
    mov rdi, rsp
    mov rbp, rsp
    and rsp, -16
    call {own_stack_trap}
    mov rsp, rbp
    RETURN

# Debug exception: an own stack, since `mov ss` followed by `syscall` can raise it in ring 0 before the
# stack is switched. From a guest the frame moves to the ordinary stack.
debug_stub:
    push 0
    mov dword ptr [rsp + 4], 1
    test byte ptr [rsp + 16], 3
    jz own_stack_common
    push rax
    mov rax, rsp
    and rax, -0x10000
    add rax, 0x10000
    .irp word, 6, 5, 4, 3, 2, 1, 0
    push qword ptr [rsp + 8 * \word]
    pop qword ptr [rax - 56 + 8 * \word]
    .endr
    lea rsp, [rax - 56]
    pop rax
    jmp trap_common

.macro STUBS from, to
    .set vector, \from
    .rept \to - \from + 1
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    push 0
    .endif
    mov dword ptr [rsp + 4], vector
    .if vector < 32 || vector == 0x80
    jmp trap_common
    .else
    jmp interrupt_common
    .endif
    .set vector, vector + 1
    .endr
.endm

.balign 16
.globl vector_stubs
vector_stubs:
    STUBS 0, 255

.globl special_stubs
.popsection
.pushsection .rodata, "a", @progbits
.balign 8
special_stubs:
    .quad debug_stub, nmi_stub, double_fault_stub, page_fault_stub, machine_check_stub
.popsection
