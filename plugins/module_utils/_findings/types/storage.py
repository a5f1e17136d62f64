# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Buckets, tables, databases, file systems and image repositories."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Quarantine, Type

_BUCKET = Type(
    name="aws_s3_bucket",
    service="s3",
    # AWS says where a bucket is only in an answer to a request with a parameter.
    list=Call("list_buckets", {"MaxBuckets": 1000}, "Buckets[]"),
    # Of the names that begin with the whole name, that one is the first.
    read=Call(
        "list_buckets", {"Prefix": "{id}", "MaxBuckets": 1}, "(Buckets[0].Name == Prefix && Buckets[0]) || `null`"
    ),
    id="Name",
    arn="arn:{partition}:s3:::{id}",
    title="Name",
    region="BucketRegion",
    account_wide=True,
    created="CreationDate",
    more={
        "tags": Call("get_bucket_tagging", {"Bucket": "{id}"}, "TagSet", missing=("NoSuchTagSet",)),
        "lock": Call(
            "get_object_lock_configuration",
            {"Bucket": "{id}"},
            "ObjectLockConfiguration",
            missing=("ObjectLockConfigurationNotFoundError",),
        ),
        "encryption": Call(
            "get_bucket_encryption",
            {"Bucket": "{id}"},
            "ServerSideEncryptionConfiguration",
            missing=("ServerSideEncryptionConfigurationNotFoundError",),
        ),
    },
    guarded={"it has object lock": "lock.ObjectLockEnabled"},
    refs=("encryption.Rules[].ApplyServerSideEncryptionByDefault.KMSMasterKeyID",),
    named_by=("bucket", "bucket_name", "location", "s3_bucket", "s3_bucket_name", "target_bucket"),
    rank=35,
    remove=(Call("delete_bucket", {"Bucket": "{id}"}),),  # AWS refuses one that is not empty, and we empty none
    recover="Make a bucket of this name again: it was empty. Somebody else may have taken the name, and its settings "
    "are lost.",
)

_TABLE = Type(
    name="aws_dynamodb_table",
    service="dynamodb",
    list=Call("list_tables", {}, "TableNames[].{TableName: @}"),
    read=Call(
        "describe_table",
        {"TableName": "{id}"},
        "{TableName: Table.TableName, table: Table}",
        missing=("ResourceNotFoundException",),
    ),
    id="TableName",
    arn="arn:{partition}:dynamodb:{region}:{account}:table/{id}",
    title="TableName",
    created="table.CreationDateTime",
    more={
        "table": Call("describe_table", {"TableName": "{id}"}, "Table", missing=("ResourceNotFoundException",)),
        "tags": Call("list_tags_of_resource", {"ResourceArn": "{arn}"}, "Tags"),
    },
    gone="table.TableStatus == 'DELETING'",
    guarded={"it has deletion protection": "table.DeletionProtectionEnabled"},
    refs=("table.SSEDescription.KMSMasterKeyArn",),
    named_by=("dynamodb_table", "table_name"),
    rank=35,
    copies=(Call("create_backup", {"TableName": "{id}", "BackupName": "before-removal-{stamp}"}),),
    copied=Call(
        "list_backups",
        {"TableName": "{id}"},
        "length(BackupSummaries[?BackupName == 'before-removal-{stamp}' && BackupStatus == 'AVAILABLE']) > `0`",
    ),
    remove=(Call("delete_table", {"TableName": "{id}"}),),
    recover="Restore its latest backup before-removal-* (restore_table_from_backup). Tags, policies, scaling and time "
    "to live are lost.",
)

_DATABASE = Type(
    name="aws_db_instance",
    service="rds",
    # Instances of clusters (Aurora, DocumentDB, Neptune) are other types.
    list=Call("describe_db_instances", {}, "DBInstances[?!DBClusterIdentifier]"),
    read=Call(
        "describe_db_instances",
        {"Filters": [{"Name": "dbi-resource-id", "Values": ["{id}"]}]},
        "DBInstances[?!DBClusterIdentifier] | [0]",
        missing=("DBInstanceNotFound",),
    ),
    id="DbiResourceId",
    arn="DBInstanceArn",
    title="DBInstanceIdentifier",
    created="InstanceCreateTime",
    tags="TagList",
    gone="DBInstanceStatus == 'deleting'",
    guarded={
        "it has deletion protection": "DeletionProtection",
        "it is a read replica, of which RDS makes no final snapshot": "ReadReplicaSourceDBInstanceIdentifier",
        "it has read replicas": "ReadReplicaDBInstanceIdentifiers",
    },
    refs=(
        "DBSubnetGroup.Subnets[].SubnetIdentifier",
        "DBSubnetGroup.VpcId",
        "VpcSecurityGroups[].VpcSecurityGroupId",
        "KmsKeyId",
        "MonitoringRoleArn",
        "AssociatedRoles[].RoleArn",
    ),
    rank=10,
    quarantine=Quarantine(
        words="stopped",  # after seven days AWS starts it by itself
        do=(Call("stop_db_instance", {"DBInstanceIdentifier": "{name}"}),),
        undo=(Call("start_db_instance", {"DBInstanceIdentifier": "{name}"}),),
        done="DBInstanceStatus == 'stopped' || DBInstanceStatus == 'stopping'",
    ),
    remove=(
        # RDS makes a final snapshot only of an instance that is available, which takes minutes: try again later.
        Call(
            "start_db_instance",
            {"DBInstanceIdentifier": "{each}"},
            each="[element][?DBInstanceStatus == 'stopped'].DBInstanceIdentifier",
        ),
        Call(
            "delete_db_instance",
            {
                "DBInstanceIdentifier": "{name}",
                "SkipFinalSnapshot": False,
                "FinalDBSnapshotIdentifier": "{name}-{id}-{stamp}",
                "DeleteAutomatedBackups": False,
            },
        ),
    ),
    recover="Restore its final snapshot (restore_db_instance_from_db_snapshot), whose name begins with its name and "
    "its resource id.",
    named_by=("db_instance_identifier", "replicate_source_db", "source_db_instance_identifier"),
    import_id="DBInstanceIdentifier",
)

_FILE_SYSTEM = Type(
    name="aws_efs_file_system",
    service="efs",
    list=Call("describe_file_systems", {}, "FileSystems[]"),
    read=Call("describe_file_systems", {"FileSystemId": "{id}"}, "FileSystems[0]", missing=("FileSystemNotFound",)),
    id="FileSystemId",
    arn="FileSystemArn",
    created="CreationTime",
    tags="Tags",
    more={"targets": Call("describe_mount_targets", {"FileSystemId": "{id}"}, "MountTargets[]")},
    gone="LifeCycleState == 'deleting' || LifeCycleState == 'deleted'",
    refs=("KmsKeyId", "targets[].SubnetId"),
    rank=35,
    # Only reported: its files would be lost, and no call makes a copy of them.
    recover="Nothing is removed: delete it yourself, after a copy by AWS Backup.",
)

_REPOSITORY = Type(
    name="aws_ecr_repository",
    service="ecr",
    list=Call("describe_repositories", {}, "repositories[]"),
    read=Call(
        "describe_repositories",
        {"repositoryNames": ["{id}"]},
        "repositories[0]",
        missing=("RepositoryNotFoundException",),
    ),
    id="repositoryName",
    arn="repositoryArn",
    title="repositoryName",
    created="createdAt",
    more={"tags": Call("list_tags_for_resource", {"resourceArn": "{arn}"}, "tags")},
    refs=("encryptionConfiguration.kmsKey",),
    named_by=("repository", "repository_name"),
    rank=35,
    remove=(Call("delete_repository", {"repositoryName": "{id}"}),),  # AWS refuses one that has images
    recover="Make a repository of this name again: it had no images. Its policies are lost.",
)

TYPES: tuple[Type, ...] = (_BUCKET, _TABLE, _DATABASE, _FILE_SYSTEM, _REPOSITORY)
