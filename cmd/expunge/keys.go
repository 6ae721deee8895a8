package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"expunge/pipeline/seal"
)

func keysCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "The public half of the signing key; keys new makes a key",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := open(c.Context(), f)
			if err != nil {
				return err
			}
			name := a.cfg.Signing.KeyEnv
			if name == "" {
				return usage("the config names no signing key: set signing: {key_env: …}")
			}
			key, err := seal.ParseSigner(name, os.Getenv(name))
			if err != nil {
				return &coded{exitUsage, err}
			}
			fmt.Println(seal.PublicLine(key.Public().(ed25519.PublicKey)))
			return nil
		},
	}
	c.AddCommand(&cobra.Command{
		Use:   "new",
		Short: "Print a fresh key in base64: a work key, or the seed of a signing key",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			line, err := seal.NewKeyLine(rand.Reader)
			if err != nil {
				return err
			}
			fmt.Println(line)
			return nil
		},
	})
	return c
}
