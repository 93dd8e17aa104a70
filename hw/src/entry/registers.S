# What the entries have in common: guarded guest accesses, the general registers in the order of `Registers`, and calls of
# handlers.

.macro FAULTS_TO target
    # The instruction that follows may fault on guest memory; control then goes to `target`.
    .pushsection .ex_table, "a", @progbits
    .quad 9999f, \target
    .popsection
9999:
.endm

# `stac` and `clac` are three-byte no-operations until a processor with SMAP patches them in.
.macro GUEST_ACCESS_BEGIN
9998:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_sites, "a", @progbits
    .quad 9998b, 0xcb
    .popsection
.endm
.macro GUEST_ACCESS_END
9998:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_sites, "a", @progbits
    .quad 9998b, 0xca
    .popsection
.endm

# Pushes the general registers; r11's place gets `eleven`.
.macro PUSH_REGISTERS eleven=r11
    push rdi
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push \eleven
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
.endm

# Pops what is not lost on any way out: all but r11 and what lies above it in the frame.
.macro POP_SAVED_REGISTERS
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
.endm

.macro POP_REGISTERS
    POP_SAVED_REGISTERS
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
.endm

# Calls the handler of an entry from a guest, rdi and rsp at a full frame, and leaves for whatever guest runs then.
.macro SERVE handler
    sub rsp, 8
    call [rip + {handlers} + \handler]
    add rsp, 8
    jmp exit_to_guest
.endm

# Goes back to what was interrupted, rsp at a full frame.
.macro RETURN
    POP_REGISTERS
    add rsp, 8
    iretq
.endm
