// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package leaks_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing/iotest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	. "github.com/gardener/gardener-extension-otel-federation/test/utils/leaks"
)

var _ = Describe("Secrets", Ordered, func() {
	var (
		secrets           *Secrets
		key, token, other string
	)

	BeforeAll(func() {
		data, err := (&secretsutils.RSASecretConfig{Name: "key", Bits: 2048}).Generate()
		Expect(err).NotTo(HaveOccurred())
		signingKey, err := credentials.ParseSigningKey(&corev1.Secret{Data: data.SecretData()})
		Expect(err).NotTo(HaveOccurred())
		key = string(data.SecretData()[secretsutils.DataKeyRSAPrivateKey])
		token, err = credentials.Issue(signingKey, "seed", time.Now(), time.Hour)
		Expect(err).NotTo(HaveOccurred())
		other, err = credentials.Issue(signingKey, "seed", time.Now(), time.Hour)
		Expect(err).NotTo(HaveOccurred())

		secrets = &Secrets{}
		Expect(secrets.Add("a key", []byte(key))).To(BeTrue())
		Expect(secrets.Add("a token", []byte(token+"\n"))).To(BeTrue())
	})

	DescribeTable("should find a secret, however it is written", func(write func() string, kinds ...string) {
		text := write()
		Expect(secrets.SearchText(text)).To(Equal(kinds))
		Expect(secrets.SearchText(strings.Repeat("x", 1<<20-len(text)/2)+text+strings.Repeat("y", 1<<20))).To(Equal(kinds), "across the border of what is searched at once")
	},
		Entry("as it is", func() string { return key }, "a key"),
		Entry("in a line of a log", func() string { return "Authorization: Bearer " + token + " refused" }, "a token"),
		Entry("as JSON", func() string {
			text, err := json.Marshal(map[string]string{"key": key, "token": token})
			Expect(err).NotTo(HaveOccurred())
			return string(text)
		}, "a key", "a token"),
		Entry("quoted twice", func() string { return fmt.Sprintf("%q", fmt.Sprintf("%q", key)) }, "a key"),
		Entry("as base64", func() string { return base64.StdEncoding.EncodeToString([]byte(key)) }, "a key"),
		Entry("as base64 after one more byte", func() string { return base64.StdEncoding.EncodeToString([]byte("x" + key)) }, "a key"),
		Entry("as base64 after two more bytes", func() string { return base64.StdEncoding.EncodeToString([]byte("xy" + token)) }, "a token"),
		Entry("as base64 for URLs", func() string { return base64.RawURLEncoding.EncodeToString([]byte("Bearer " + token)) }, "a token"),
		Entry("without its beginning and its end", func() string { return key[300 : len(key)-300] }, "a key"),
		Entry("only the signature", func() string { return token[strings.LastIndex(token, ".")+1:] }, "a token"),
	)

	DescribeTable("should find nothing where nothing secret is", func(write func() string) {
		Expect(secrets.SearchText(write())).To(BeEmpty())
	},
		Entry("nothing", func() string { return "" }),
		Entry("the claims of the token", func() string { return token[:strings.LastIndex(token, ".")] }),
		Entry("another token of the same seed", func() string { return other }),
		Entry("the frame of a key", func() string { return "-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n" }),
	)

	It("should not search for what is too short to be a secret", func() {
		Expect((&Secrets{}).Add("a name", []byte("admin"))).To(BeFalse())
		Expect(secrets.Len()).To(BeNumerically(">", 2))
	})

	It("should count what it has searched, and tell when that is not all", func() {
		_, total, err := secrets.Search(bytes.NewReader(make([]byte, 3<<20)))
		Expect(err).NotTo(HaveOccurred())
		Expect(total).To(Equal(int64(3 << 20)))

		_, _, err = secrets.Search(iotest.ErrReader(errors.New("broken")))
		Expect(err).To(MatchError(ContainSubstring("broken")))
	})
})
