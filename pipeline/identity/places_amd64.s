//go:build !purego

#include "textflag.h"

// A byte is of a class if the entries of its two halves have a bit in common:
//
//	0x01  \t \n \r           what may stand between the digits of a phone number …
//	0x02  escape letters
//	0x04  space ( ) + - . /  … up to here
//	0x08  0-9
//	0x10  a-f A-F
//	0x20  g-o G-O
//	0x40  p-z P-Z
//	0x80  _
DATA lowHalf<>+0(SB)/8, $0x68585a5a5a5a5a4c
DATA lowHalf<>+8(SB)/8, $0xa424252024616d6c
GLOBL lowHalf<>(SB), RODATA|NOPTR, $16

DATA highHalf<>+0(SB)/8, $0x4030c03008040201
DATA highHalf<>+8(SB)/8, $0
GLOBL highHalf<>(SB), RODATA|NOPTR, $16

#define BROADCAST(byte, x, y) \
	MOVL         byte, AX \
	VMOVD        AX, x    \
	VPBROADCASTB x, y

// LAYOUT lays out 32 bytes: Y0 are they, Y1 their classes, AX their hyphens.
#define LAYOUT(from, to) \
	VMOVDQU   from(SI), Y0     \
	VPAND     Y10, Y0, Y1      \
	VPSRLW    $4, Y0, Y2       \
	VPAND     Y10, Y2, Y2      \
	VPSHUFB   Y1, Y8, Y1       \
	VPSHUFB   Y2, Y9, Y2       \
	VPAND     Y1, Y2, Y1       \
	                           \
	VPCMPEQB  Y13, Y0, Y2      \ // hyphen
	VPMOVMSKB Y2, AX           \
	MOVL      AX, to(R8)(DX*1) \
	                           \
	VPMOVMSKB Y1, BX           \ // split
	ORL       AX, BX           \
	MOVL      BX, to(R8)(DX*2) \
	                           \
	VPAND     Y11, Y1, Y2      \ // word
	VPCMPEQB  Y12, Y2, Y2      \
	VPMOVMSKB Y2, BX           \
	NOTL      BX               \
	ORL       AX, BX           \
	MOVL      BX, to(DI)       \
	                           \
	VPAND     Y10, Y1, Y2      \ // number
	VPCMPEQB  Y12, Y2, Y2      \
	VPMOVMSKB Y2, BX           \
	NOTL      BX               \
	MOVL      BX, to(DI)(DX*1) \
	                           \
	VPSLLW    $4, Y1, Y2       \ // digit
	VPMOVMSKB Y2, BX           \
	MOVL      BX, to(DI)(DX*2) \
	                           \
	VPSLLW    $3, Y1, Y2       \ // hexlet
	VPMOVMSKB Y2, BX           \
	MOVL      BX, to(R8)       \
	                           \
	VPCMPEQB  Y7, Y0, Y2       \ // join
	VPCMPEQB  Y15, Y0, Y3      \
	VPOR      Y3, Y2, Y2       \
	VPMOVMSKB Y2, BX           \
	MOVL      BX, to(R9)       \
	                           \
	VPCMPEQB  Y14, Y0, Y2      \ // at
	VPMOVMSKB Y2, BX           \
	MOVL      BX, to(R9)(DX*1)

// func layoutAVX2(b *byte, n int, out *uint64, stride int)
TEXT ·layoutAVX2(SB), NOSPLIT, $0-32
	MOVQ b+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ out+16(FP), DI
	MOVQ stride+24(FP), DX
	LEAQ (DX)(DX*2), R8
	LEAQ (DI)(R8*2), R9
	ADDQ DI, R8

	BROADCAST($'+', X7, Y7)
	VBROADCASTI128 lowHalf<>(SB), Y8
	VBROADCASTI128 highHalf<>(SB), Y9
	BROADCAST($0x0f, X10, Y10)
	BROADCAST($0xf8, X11, Y11)
	VPXOR Y12, Y12, Y12
	BROADCAST($'-', X13, Y13)
	BROADCAST($'@', X14, Y14)
	BROADCAST($'/', X15, Y15)

block:
	LAYOUT(0, 0)
	LAYOUT(32, 4)
	ADDQ $64, SI
	ADDQ $8, DI
	ADDQ $8, R8
	ADDQ $8, R9
	DECQ CX
	JNZ  block

	VZEROUPPER
	RET

#define SPECIAL(from, to) \
	VMOVDQU   from(SI), Y0  \
	VPCMPEQB  Y13, Y0, Y1   \
	VPCMPEQB  Y14, Y0, Y2   \
	VPCMPEQB  Y15, Y0, Y3   \
	VPCMPEQB  Y12, Y0, Y4   \
	VPOR      Y1, Y0, Y0    \
	VPOR      Y4, Y3, Y3    \
	VPOR      Y2, Y3, Y2    \
	VPOR      Y2, Y0, Y0    \
	VPMOVMSKB Y0, BX        \
	MOVL      BX, to(DI)

// func specialAVX2(b *byte, n int, out *uint64)
TEXT ·specialAVX2(SB), NOSPLIT, $0-24
	MOVQ b+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ out+16(FP), DI

	BROADCAST($';', X12, Y12)
	BROADCAST($'%', X13, Y13)
	BROADCAST($'\\', X14, Y14)
	BROADCAST($'#', X15, Y15)

block:
	SPECIAL(0, 0)
	SPECIAL(32, 4)
	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JNZ  block

	VZEROUPPER
	RET
