// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/rsa"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/gardener/gardener/pkg/utils/secrets"
)

// init makes the keys of the landscape's own certificates smaller: they live for an hour, and a start has 90 seconds.
func init() {
	secrets.GenerateKey = func(r io.Reader, _ int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(r, 2048) }
}

type pki struct {
	ca *secrets.Certificate
}

// createPKI creates the certificates and keys of the control plane.
func (c *Cluster) createPKI() error {
	if err := os.MkdirAll(filepath.Join(c.Dir, "pki"), 0o700); err != nil {
		return err
	}

	var ca, frontProxyCA *secrets.Certificate
	group := errgroup.Group{}
	group.Go(func() (err error) { ca, err = c.createCA("ca"); return })
	group.Go(func() (err error) { frontProxyCA, err = c.createCA("front-proxy-ca"); return })
	group.Go(c.createServiceAccountKey)
	if err := group.Wait(); err != nil {
		return err
	}
	c.pki = &pki{ca: ca}

	group = errgroup.Group{}
	group.Go(func() error {
		return c.createCertificate("apiserver", secrets.CertificateSecretConfig{
			CommonName: "kube-apiserver", CertType: secrets.ServerCert, SigningCA: ca,
			DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			IPAddresses: []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP(c.Address()), net.ParseIP(fmt.Sprintf("198.19.%d.1", c.Index))},
		})
	})
	group.Go(func() error {
		return c.createCertificate("admin", secrets.CertificateSecretConfig{
			CommonName: "landscape:admin", Organization: []string{"system:masters"}, CertType: secrets.ClientCert, SigningCA: ca,
		})
	})
	group.Go(func() error {
		return c.createCertificate("front-proxy-client", secrets.CertificateSecretConfig{
			CommonName: "front-proxy-client", CertType: secrets.ClientCert, SigningCA: frontProxyCA,
		})
	})
	return group.Wait()
}

// CreateServingCertificate creates a server certificate that is signed by the cluster's CA, as tls.crt and tls.key in a
// directory of its own, and returns the directory.
func (c *Cluster) CreateServingCertificate(name string, dnsNames []string, addresses ...string) (string, error) {
	config := secrets.CertificateSecretConfig{
		Name: name, CommonName: name, CertType: secrets.ServerCert, SigningCA: c.pki.ca, DNSNames: dnsNames, SkipPublishingCACertificate: true,
	}
	for _, address := range addresses {
		config.IPAddresses = append(config.IPAddresses, net.ParseIP(address))
	}
	certificate, err := config.GenerateCertificate()
	if err != nil {
		return "", fmt.Errorf("failed to create server certificate %s: %w", name, err)
	}
	dir := c.PKIFile(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for file, data := range certificate.SecretData() {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func (c *Cluster) createCA(name string) (*secrets.Certificate, error) {
	ca, err := (&secrets.CertificateSecretConfig{Name: name, CommonName: c.Name + ":" + name, CertType: secrets.CACert}).GenerateCertificate()
	if err != nil {
		return nil, err
	}
	return ca, os.WriteFile(c.PKIFile(name+".crt"), ca.CertificatePEM, 0o600)
}

func (c *Cluster) createCertificate(name string, config secrets.CertificateSecretConfig) error {
	config.Name = name
	certificate, err := config.GenerateCertificate()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.PKIFile(name+".crt"), certificate.CertificatePEM, 0o600); err != nil {
		return err
	}
	return os.WriteFile(c.PKIFile(name+".key"), certificate.PrivateKeyPEM, 0o600)
}

func (c *Cluster) createServiceAccountKey() error {
	keys, err := (&secrets.RSASecretConfig{Name: "service-account", Bits: 2048}).Generate()
	if err != nil {
		return err
	}
	return os.WriteFile(c.PKIFile("service-account.key"), keys.SecretData()[secrets.DataKeyRSAPrivateKey], 0o600)
}

// writeKubeconfig writes the administrator's kubeconfig for the given URL.
func (c *Cluster) writeKubeconfig(path, url string) error {
	certificate, err := os.ReadFile(c.PKIFile("admin.crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.PKIFile("admin.key"))
	if err != nil {
		return err
	}
	return c.WriteKubeconfig(path, url, &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key})
}

// WriteKubeconfig writes a kubeconfig for the cluster with the given credentials.
func (c *Cluster) WriteKubeconfig(path, url string, user *clientcmdapi.AuthInfo) error {
	ca, err := os.ReadFile(c.PKIFile("ca.crt"))
	if err != nil {
		return fmt.Errorf("failed to read the CA of cluster %s: %w", c.Name, err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[c.Name] = &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: ca}
	config.AuthInfos[c.Name] = user
	config.Contexts[c.Name] = &clientcmdapi.Context{Cluster: c.Name, AuthInfo: c.Name}
	config.CurrentContext = c.Name
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("failed to write kubeconfig %s of cluster %s: %w", path, c.Name, err)
	}
	return nil
}
