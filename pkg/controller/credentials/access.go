// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/utils"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	// tokenCacheDuration is how long a token of the access Secret is used before the Secret is read again.
	tokenCacheDuration = 10 * time.Second
	tokenReadTimeout   = 10 * time.Second
	clientTimeout      = 30 * time.Second
)

// ErrNoAccess tells that something that is needed to reach the virtual garden does not exist, or not yet.
var ErrNoAccess = errors.New("there is no access to the virtual garden")

// Access is what is needed to reach the virtual garden.
type Access struct {
	// Config is the configuration for clients. They read the token for each request from the access Secret, so that a rotation
	// of the token needs no new client.
	Config *rest.Config
	// Fingerprint changes when the clients have to be created anew.
	Fingerprint string
}

// VirtualGardenClient returns a client for the virtual garden that uses the access Secret of this extension. The error is an
// ErrNoAccess if the access does not exist. The virtual garden is not contacted. The reader for the runtime cluster should not
// read Secrets from a cache.
func VirtualGardenClient(ctx context.Context, runtimeReader client.Reader, namespace string) (client.Client, error) {
	access, err := VirtualGardenAccess(ctx, runtimeReader, namespace)
	if err != nil {
		return nil, err
	}

	config := rest.CopyConfig(access.Config)
	config.Timeout = clientTimeout
	c, err := client.New(config, client.Options{Scheme: kubernetes.GardenScheme})
	if err != nil {
		return nil, fmt.Errorf("failed to create a client for the virtual garden: %w", err)
	}
	return c, nil
}

// VirtualGardenAccess reads the access to the virtual garden: the address and CA from the generic token kubeconfig that the
// Garden names, the token from the access Secret of this extension. The error is an ErrNoAccess if a part of it does not exist.
func VirtualGardenAccess(ctx context.Context, runtimeReader client.Reader, namespace string) (*Access, error) {
	garden, err := getGarden(ctx, runtimeReader)
	if err != nil {
		return nil, err
	}
	kubeconfigName, ok := garden.Annotations[v1beta1constants.AnnotationKeyGenericTokenKubeconfigSecretName]
	if !ok {
		return nil, fmt.Errorf("%w: Garden %s has no annotation %s", ErrNoAccess, garden.Name, v1beta1constants.AnnotationKeyGenericTokenKubeconfigSecretName)
	}

	kubeconfigSecret := &corev1.Secret{}
	if err := getSecret(ctx, runtimeReader, client.ObjectKey{Namespace: namespace, Name: kubeconfigName}, kubeconfigSecret); err != nil {
		return nil, err
	}
	config, err := configFromKubeconfig(kubeconfigSecret)
	if err != nil {
		return nil, fmt.Errorf("failed to read the generic token kubeconfig in Secret %s: %w", client.ObjectKeyFromObject(kubeconfigSecret), err)
	}

	tokens := &tokenReader{reader: runtimeReader, key: client.ObjectKey{Namespace: namespace, Name: accessSecretName()}}
	if _, err := tokens.read(ctx); err != nil {
		return nil, err
	}
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		return &tokenTransport{tokens: tokens, next: next}
	}

	return &Access{
		Config:      config,
		Fingerprint: utils.ComputeSHA256Hex([]byte(config.Host + "\n" + config.ServerName + "\n" + string(config.CAData))),
	}, nil
}

func accessSecretName() string {
	return gardenerutils.SecretNamePrefixShootAccess + constants.GardenAccessName
}

func getGarden(ctx context.Context, reader client.Reader) (*metav1.PartialObjectMetadata, error) {
	gardens := &metav1.PartialObjectMetadataList{}
	gardens.SetGroupVersionKind(operatorv1alpha1.SchemeGroupVersion.WithKind("GardenList"))
	if err := reader.List(ctx, gardens); err != nil {
		return nil, fmt.Errorf("failed to list the Gardens: %w", err)
	}
	if len(gardens.Items) != 1 {
		return nil, fmt.Errorf("%w: there are %d Gardens instead of one", ErrNoAccess, len(gardens.Items))
	}
	return &gardens.Items[0], nil
}

func getSecret(ctx context.Context, reader client.Reader, key client.ObjectKey, secret *corev1.Secret) error {
	if err := reader.Get(ctx, key, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("%w: Secret %s does not exist", ErrNoAccess, key)
		}
		return fmt.Errorf("failed to get Secret %s: %w", key, err)
	}
	return nil
}

// The most requests per second to the virtual garden, those of the clientConnection in the configurations of Gardener's own components. With the
// five per second of client-go, a thousand Seeds would wait for their credentials for minutes.
const (
	virtualGardenQPS   = 100
	virtualGardenBurst = 130
)

// configFromKubeconfig takes the address and the CA from the kubeconfig. Its user is left out: it names a token file that only
// exists in pods that mount the access Secret.
func configFromKubeconfig(secret *corev1.Secret) (*rest.Config, error) {
	kubeconfig, err := clientcmd.Load(secret.Data[secretsutils.DataKeyKubeconfig])
	if err != nil {
		return nil, errors.New("it is no kubeconfig")
	}
	kubeContext, ok := kubeconfig.Contexts[kubeconfig.CurrentContext]
	if !ok {
		return nil, errors.New("it has no current context")
	}
	cluster, ok := kubeconfig.Clusters[kubeContext.Cluster]
	if !ok {
		return nil, errors.New("the cluster of its current context is missing")
	}
	host, err := qualifyHost(cluster.Server, secret.Namespace)
	if err != nil {
		return nil, err
	}

	return &rest.Config{
		Host:            host,
		TLSClientConfig: rest.TLSClientConfig{CAData: cluster.CertificateAuthorityData, ServerName: cluster.TLSServerName},
		UserAgent:       "gardener-extension-" + constants.ExtensionType,
		QPS:             virtualGardenQPS,
		Burst:           virtualGardenBurst,
	}, nil
}

// qualifyHost adds the namespace to a server that is named like a Service: the kubeconfig is made for pods in the namespace of
// the virtual garden, but this extension runs in another one.
func qualifyHost(server, namespace string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return "", errors.New("its server is no https URL")
	}

	host := u.Hostname()
	if net.ParseIP(host) != nil || host == "localhost" || strings.Contains(host, ".") {
		return server, nil
	}
	host += "." + namespace + ".svc"
	if port := u.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	u.Host = host
	return u.String(), nil
}

// tokenReader reads the token of the access Secret and remembers it for a few seconds.
type tokenReader struct {
	reader client.Reader
	key    client.ObjectKey

	mutex sync.Mutex
	token string
	until time.Time
}

func (t *tokenReader) read(ctx context.Context) (string, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()

	if t.token != "" && time.Now().Before(t.until) {
		return t.token, nil
	}

	ctx, cancel := context.WithTimeout(ctx, tokenReadTimeout)
	defer cancel()

	secret := &corev1.Secret{}
	if err := getSecret(ctx, t.reader, t.key, secret); err != nil {
		return "", err
	}
	token := string(secret.Data[resourcesv1alpha1.DataKeyToken])
	if token == "" {
		return "", fmt.Errorf("%w: Secret %s has no token yet", ErrNoAccess, t.key)
	}

	t.token, t.until = token, time.Now().Add(tokenCacheDuration)
	return token, nil
}

// forget makes the next request read the token again.
func (t *tokenReader) forget() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.until = time.Time{}
}

// tokenTransport adds the token of the access Secret to each request.
type tokenTransport struct {
	tokens *tokenReader
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *tokenTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	token, err := t.tokens.read(request.Context())
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, fmt.Errorf("failed to get the token for the virtual garden: %w", err)
	}

	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := t.next.RoundTrip(request)
	if err == nil && response.StatusCode == http.StatusUnauthorized {
		t.tokens.forget()
	}
	return response, err
}

// WrappedRoundTripper returns the next transport, so that client-go finds what is below.
func (t *tokenTransport) WrappedRoundTripper() http.RoundTripper {
	return t.next
}

func metadataOf(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	obj := &metav1.PartialObjectMetadata{}
	obj.SetGroupVersionKind(gvk)
	return obj
}
