// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package example_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/gardener/gardener/pkg/utils"
)

const directory = "../../../example"

// option matches the lines of an option that is commented out.
var option = regexp.MustCompile(`(?m)^( +)# (autoEnable:|- seed)$`)

// strict returns a client whose writes fail if an object has fields that the API server does not know. It would drop them silently.
func strict(c client.Client) client.Client {
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

func read(file string) []byte {
	GinkgoHelper()
	data, err := os.ReadFile(filepath.Join(directory, file))
	Expect(err).NotTo(HaveOccurred())
	return data
}

// decode returns the objects in a manifest with all that is written there, known or not.
func decode(manifest []byte) []*unstructured.Unstructured {
	GinkgoHelper()

	var objects []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())

		object := &unstructured.Unstructured{}
		Expect(yaml.UnmarshalStrict(document, &object.Object)).To(Succeed(), "%s", document)
		objects = append(objects, object)
	}
}

// complete adds to an excerpt what else the object must have.
func complete(excerpt *unstructured.Unstructured, whole client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(whole)
	Expect(err).NotTo(HaveOccurred())
	return &unstructured.Unstructured{Object: utils.MergeMaps(content, excerpt.Object)}
}

// raw returns a part of an object, or nothing.
func raw(content map[string]any, fields ...string) *runtime.RawExtension {
	GinkgoHelper()
	value, found, err := unstructured.NestedFieldNoCopy(content, fields...)
	Expect(err).NotTo(HaveOccurred())
	if !found {
		return nil
	}
	data, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return &runtime.RawExtension{Raw: data}
}

// entryOf returns the only entry of a list in the specification of an object.
func entryOf(object *unstructured.Unstructured, list string) map[string]any {
	GinkgoHelper()
	entries, _, err := unstructured.NestedSlice(object.Object, "spec", list)
	Expect(err).NotTo(HaveOccurred())
	Expect(entries).To(HaveLen(1))
	entry, ok := entries[0].(map[string]any)
	Expect(ok).To(BeTrue())
	return entry
}
